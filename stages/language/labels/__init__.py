"""Labels: what a model means by them (`meaning`), ISO 639-3 (`registry`), how well each is known (`support`)."""

from lauter.stages.language.labels.meaning import (
    LABEL,
    UNIDENTIFIED,
    Meaning,
    is_unidentified,
    meanings,
    wikipedia_labels,
)

__all__ = ["LABEL", "UNIDENTIFIED", "Meaning", "is_unidentified", "meanings", "wikipedia_labels"]
