"""Labels: what a model means by them (`meaning`), what ISO 639-3 says (`registry`), how well we know each (`support`)."""

from lauter.stages.language.labels.meaning import (
    LABEL,
    UNIDENTIFIED,
    Meaning,
    is_unidentified,
    meanings,
    wikipedia_labels,
)

__all__ = ["LABEL", "UNIDENTIFIED", "Meaning", "is_unidentified", "meanings", "wikipedia_labels"]
