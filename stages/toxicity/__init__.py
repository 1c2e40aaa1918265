"""The toxicity stage (`stage`): an embedded classifier (`embedded`), word lists (`lexicon`), Detoxify (`detoxify`)."""

from lauter.stages.toxicity.stage import Toxicity, ToxicityConfig

__all__ = ["Toxicity", "ToxicityConfig"]
