"""The rules of the code stage in the order in which they are tried: the first that a file breaks is its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline.schema import RATIO_SCALE
from lauter.stages.code.thresholds import CodeConfig

MEAN_SCALE = 100
"""`mean_line_length` is in hundredths of a code point."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A score that may not lie below (`min`) or above (`max`) a threshold, in files of some extensions."""

    reason: str
    score: str
    threshold: str
    """The field of `CodeConfig`."""
    bound: Literal["min", "max"] = "max"
    scale: int = 1
    among: str | None = None
    """The field of `CodeConfig` with the extensions that it holds for; None: all."""
    outside: str | None = None
    """The field with those that it does not hold for."""

    def limit(self, config: CodeConfig) -> int | None:
        """The threshold in the units of the score column, rounded half to even; None if the rule is off."""
        value: float | None = getattr(config, self.threshold)
        return None if value is None else round(value * self.scale)

    def broken(self, scores: pa.RecordBatch, config: CodeConfig) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Which of n files break the rule, and the score of each."""
        column = scores.column(self.score)
        value = np.asarray(column.fill_null(0)).astype(np.int64)
        limit = self.limit(config)
        if limit is None:
            return np.zeros(len(value), np.bool_), value
        found = value < limit if self.bound == "min" else value > limit
        found &= np.asarray(column.is_valid())
        extensions = scores.column("extension").to_pylist()
        for field, inside in ((self.among, True), (self.outside, False)):
            if field is not None:
                listed = frozenset(getattr(config, field))
                found &= np.array([(each in listed) is inside for each in extensions], np.bool_)
        return found, value

    def evidence(self, value: int, limit: int) -> str:
        """What the rule says of a file: `max_line_length 24012 > 1000`."""
        digits = {1: 0, MEAN_SCALE: 2, RATIO_SCALE: 4}[self.scale]
        sign = "<" if self.bound == "min" else ">"
        return f"{self.score} {value / self.scale:.{digits}f} {sign} {limit / self.scale:.{digits}f}"


RULES = (
    Rule("many-lines", "lines", "max_lines"),
    Rule("long-line", "max_line_length", "max_line_length", outside="long_lines"),
    Rule("long-lines", "mean_line_length", "max_mean_line_length", scale=MEAN_SCALE, outside="long_lines"),
    Rule("very-long-line", "max_line_length", "max_any_line_length"),
    Rule("few-letters", "letter_ratio", "min_letter_ratio", "min", RATIO_SCALE, outside="symbolic"),
    Rule("few-letters-and-digits", "alphanumeric_ratio", "min_letter_ratio", "min", RATIO_SCALE, among="symbolic"),
    Rule("encoded-data", "encoded_ratio", "max_encoded_ratio", scale=RATIO_SCALE),
    Rule("long-encoded-data", "max_encoded_length", "max_encoded_length"),
    Rule("data-file", "lines", "max_data_lines", among="data"),
)
GENERATED = "generated-file"
