"""The parameters of the stage `passages`, and two sets of them with a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lauter.pipeline.contract import StageConfig
from lauter.stages.kernels.words import DROP_PUNCTUATION, FOLD_CASE, FOLD_DIGITS
from lauter.stages.passages.sign import LINE, PARAGRAPH, SENTENCE

UNITS = {"line": LINE, "paragraph": PARAGRAPH, "sentence": SENTENCE}
FOLDS = {"case": FOLD_CASE, "digits": FOLD_DIGITS, "punctuation": DROP_PUNCTUATION}

Preset = Literal["c4", "ccnet"]

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "c4": {
        "unit": "sentence",
        "window": 3,
        "min_words": 1,
        "min_left": 50,
        "fold": ["case", "digits", "punctuation"],
    },
    "ccnet": {
        "unit": "line",
        "window": 1,
        "min_words": 1,
        "min_left": 1,
        "fold": ["case", "digits", "punctuation"],
    },
}
"""`c4`: all but one of any three-sentence span that stands more than once (T5, arXiv 1910.10683, section 2.2); words
are folded, and documents below 50 words left out, as datatrove does for it. `ccnet`: lines, which CCNet calls
paragraphs, in lower case, with digits as 0 and without punctuation (arXiv 1911.00359, Deduplication); it compared them
within shards of the crawl, here all are compared, and it removed accents, which are kept here."""


class PassagesConfig(StageConfig):
    """Which passages are compared, and what is cut."""

    preset: Preset | None = None
    """Values for all parameters that are not given: `c4` (spans of three sentences) or `ccnet` (lines)."""
    unit: Literal["line", "paragraph", "sentence"] = "line"
    """What a passage is made of. A paragraph is a run of lines without a blank one between; a sentence ends at
    terminals of any script and at a line's end."""
    window: int = Field(default=1, ge=1, le=1000)
    """Units of a passage; with more than one, passages overlap, and one begins with each unit."""
    min_words: int = Field(default=5, ge=1)
    """A passage with fewer words always stays: headings, menus of one word, list items."""
    keep: int = Field(default=1, ge=1, le=1_000_000)
    """Occurrences of a passage that stay in the corpus."""
    min_left: int = Field(default=20, ge=0)
    """A document that loses something and has fewer words left goes as a whole."""
    fold: Annotated[tuple[Literal["case", "digits", "punctuation"], ...], Field(strict=False)] = (
        "case",
        "digits",
        "punctuation",
    )
    """What makes no difference: upper and lower case, which digit, punctuation and symbols. White space never does.
    Digits count in a line, paragraph or sentence of which more than half of the words are numbers."""

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, data: object) -> object:
        # Filled in here, so that what decided is written down in the lock file and is part of the tasks' keys.
        preset = data.get("preset") if isinstance(data, dict) else None
        if isinstance(data, dict) and isinstance(preset, str) and preset in PRESETS:
            return {**PRESETS[preset], **data}
        return data

    @property
    def flags(self) -> int:
        """`fold` as the flags of `kernels.words`."""
        return sum(FOLDS[name] for name in sorted(set(self.fold)))
