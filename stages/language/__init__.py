"""The language stage (`stage`), what a model's labels mean (`labels`), and the script of a text (`script`)."""

from lauter.stages.language.stage import Language, LanguageConfig

__all__ = ["Language", "LanguageConfig"]
