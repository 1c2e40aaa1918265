"""The quality rules in the order in which they are tried: the first that a document breaks is its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.pipeline.schema import RATIO_SCALE
from lauter.stages.quality.thresholds import Thresholds

Family = Literal["gopher-quality", "gopher-repetition", "fineweb-quality", "c4"]
MEAN_SCALE = 100
"""`mean_word_length` is in hundredths of a code point."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A score that may not lie below (`min`) or above (`max`) a threshold."""

    reason: str
    family: Family
    score: str
    """The score column."""
    threshold: str
    """The field of `Thresholds`."""
    bound: Literal["min", "max"]
    scale: int = RATIO_SCALE
    order: int | None = None
    """For n-grams: n. The score is a fixed-size list that starts with `first_order`."""
    first_order: int = 0

    @property
    def label(self) -> str:
        """The score's name in evidence, e.g. `duplicate_5gram_ratio`."""
        return self.score if self.order is None else self.score.replace("ngram_ratios", f"{self.order}gram_ratio")

    def limit(self, thresholds: Thresholds) -> int | None:
        """The threshold in the units of the score column, rounded half to even; `None` if the rule is off."""
        value: float | tuple[float | None, ...] | None = getattr(thresholds, self.threshold)
        if isinstance(value, tuple):
            value = value[(self.order or 0) - self.first_order]
        return None if value is None else round(value * self.scale)

    def values(self, scores: pa.RecordBatch) -> pa.Array[Any]:
        """The score of each row, null where it has none."""
        column = scores.column(self.score)
        return column if self.order is None else pc.list_element(column, self.order - self.first_order)

    def evidence(self, value: int, limit: int) -> str:
        """What the rule says of a document: `duplicate_line_ratio 0.4100 > 0.3000`."""
        digits = {1: 0, MEAN_SCALE: 2, RATIO_SCALE: 4}[self.scale]
        sign = "<" if self.bound == "min" else ">"
        return f"{self.label} {value / self.scale:.{digits}f} {sign} {limit / self.scale:.{digits}f}"


def _repetition(order: int) -> Rule:
    if order < 5:
        return Rule(
            f"top-{order}-gram", "gopher-repetition", "top_ngram_ratios", "max_top_ngram_ratios", "max",
            order=order, first_order=2,
        )  # fmt: skip
    return Rule(
        f"duplicate-{order}-gram", "gopher-repetition", "duplicate_ngram_ratios", "max_duplicate_ngram_ratios", "max",
        order=order, first_order=5,
    )  # fmt: skip


RULES = (
    Rule("few-words", "gopher-quality", "words", "min_words", "min", 1),
    Rule("many-words", "gopher-quality", "words", "max_words", "max", 1),
    Rule("short-words", "gopher-quality", "mean_word_length", "min_mean_word_length", "min", MEAN_SCALE),
    Rule("long-words", "gopher-quality", "mean_word_length", "max_mean_word_length", "max", MEAN_SCALE),
    Rule("symbols", "gopher-quality", "symbol_ratio", "max_symbol_ratio", "max"),
    Rule("bullet-lines", "gopher-quality", "bullet_line_ratio", "max_bullet_line_ratio", "max"),
    Rule("ellipsis-lines", "gopher-quality", "ellipsis_line_ratio", "max_ellipsis_line_ratio", "max"),
    Rule("few-alphabetic-words", "gopher-quality", "alphabetic_word_ratio", "min_alphabetic_word_ratio", "min"),
    Rule("few-stop-words", "gopher-quality", "stop_words", "min_stop_words", "min", 1),
    Rule(
        "duplicate-paragraphs", "gopher-repetition", "duplicate_paragraph_ratio", "max_duplicate_paragraph_ratio", "max"
    ),
    Rule(
        "duplicate-paragraph-characters",
        "gopher-repetition",
        "duplicate_paragraph_char_ratio",
        "max_duplicate_paragraph_char_ratio",
        "max",
    ),
    Rule("duplicate-lines", "gopher-repetition", "duplicate_line_ratio", "max_duplicate_line_ratio", "max"),
    Rule(
        "duplicate-line-characters",
        "gopher-repetition",
        "duplicate_line_char_ratio",
        "max_duplicate_line_char_ratio",
        "max",
    ),
    *(_repetition(order) for order in range(2, 11)),
    Rule("few-ended-lines", "fineweb-quality", "line_punctuation_ratio", "min_line_punctuation_ratio", "min"),
    Rule("short-lines", "fineweb-quality", "short_line_ratio", "max_short_line_ratio", "max"),
    Rule("line-breaks", "fineweb-quality", "newline_ratio", "max_newline_ratio", "max"),
    Rule("lorem-ipsum", "c4", "lorem_ipsum_lines", "max_lorem_ipsum_lines", "max", 1),
    Rule("curly-brackets", "c4", "curly_bracket_lines", "max_curly_bracket_lines", "max", 1),
    Rule("few-sentences", "c4", "c4_sentences", "min_c4_sentences", "min", 1),
    Rule("few-kept-lines", "c4", "c4_line_ratio", "min_c4_line_ratio", "min"),
)


def broken(rule: Rule, values: NDArray[np.int64], limits: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of `values` lie beyond their `limits`; all of shape (n,). Equal is fine."""
    return values < limits if rule.bound == "min" else values > limits
