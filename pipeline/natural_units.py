"""Score columns as people know them (`schema.SCORE`): 8215 is 0.8215, log-odds are probabilities, codes are words."""

from __future__ import annotations

from math import exp
from typing import Any

import pyarrow as pa

from lauter.pipeline import schema

SCALES = {"mean_word_length": 100, "mean_line_length": 100}
"""Parts of one that a column counts, where they are not ten-thousandths."""

COUNTS = frozenset({"stop_words"})
"""Columns that look like ratios and are none."""


def natural(name: str, value: Any) -> Any:  # noqa: ANN401 - a value of a column, as plain data
    """A value in natural units; None for one that is in such units as it is, or that the schema does not say it of.

    >>> natural("language_score", 8215), natural("mean_word_length", 512), natural("words", 7)
    (0.8215, 5.12, None)
    >>> natural("toxicity_model", 2)
    'embedded'
    """
    if name not in schema.SCORE.names or name in COUNTS or value is None:
        return None
    if name in schema.CODES:
        return schema.CODES[name][value - 1]
    kind = schema.SCORE.field(name).type
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        kind = kind.value_type
    scale = SCALES.get(name, schema.RATIO_SCALE)
    if name in schema.LOG_ODDS:
        return [_probability(item) for item in value] if isinstance(value, list) else _probability(value)
    if pa.types.is_uint16(kind) or name in SCALES:
        return [item / scale for item in value] if isinstance(value, list) else value / scale
    if kind == schema.LANGUAGE:
        return [{**item, "score": item["score"] / scale} for item in value]
    return None


def _probability(score: int | None) -> float | None:
    """The probability of a score of log-odds, with six digits that count: 0.999441; null in a list stays so."""
    if score is None:
        return None
    return float(f"{1 / (1 + exp((schema.LOG_ODDS_HALF - score) / schema.LOG_ODDS_STEPS)):.6g}")
