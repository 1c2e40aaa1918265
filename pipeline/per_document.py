"""A user's own stage in five lines: a function of one text becomes a map stage.

    from lauter.pipeline.per_document import per_document

    @per_document("text")
    def exclamations(text: str) -> float:
        return text.count("!") / max(len(text), 1)

In the manifest: `- use: mymodule:exclamations` and, if wanted, `with: {max: 0.02}`.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Annotated, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from lauter.pipeline import schema
from lauter.pipeline.contract import Reason, StageConfig, StageContext, Verdict

LARGEST = 1e14
"""Scores are stored in ten-thousandths as int64, which ends at 9.2e14."""

TOO_LOW, TOO_HIGH, NO_NUMBER = 1, 2, 3
"""Places of the reasons, as a verdict counts them."""

Limit = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]


class ScoreLimits(StageConfig):
    """Which scores a document may have; both limits are allowed values. Without limits the score is only stored."""

    min: Limit | None = None
    """The least value that is kept."""
    max: Limit | None = None
    """The greatest value that is kept."""


def config_limit(value: int | None) -> str:
    """A quantised limit as the manifest states it."""
    return "-" if value is None else f"{value / schema.RATIO_SCALE:.4f}"


def quantised(value: object) -> int | None:
    """round(value * 10,000), half to even; None for what is no finite number of at most 1e14 (`True` is 1)."""
    if not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    # A NaN compares as false.
    return round(number * schema.RATIO_SCALE) if abs(number) <= LARGEST else None


def per_document(column: str) -> Callable[[Callable[[str], float]], type[Any]]:
    """Turn `f(text) -> float` into a map stage that reads `column` and writes a score column named after the function.

    The score is stored as round(value * 10,000), int64; `min` and `max` in the manifest decide softly, with the reasons
    `<name>-too-low` and `<name>-too-high`. A row for which the function gives no finite number of at most 1e14 ends as
    the error `<name>-no-number`. Where the column itself is null the function is not asked: the score is null, and no
    limit drops it.
    """

    def decorate(function: Callable[[str], float]) -> type[Any]:
        label = function.__name__

        class PerDocument:
            name: ClassVar[str] = label
            version: ClassVar[int] = 2
            Config: ClassVar[type[StageConfig]] = ScoreLimits
            reads: ClassVar[tuple[str, ...]] = (column,)
            documents: ClassVar[pa.Schema] = pa.schema([])
            scores: ClassVar[pa.Schema] = pa.schema([pa.field(label, pa.int64())])
            reasons: ClassVar[tuple[Reason, ...]] = (
                Reason(f"{label}-too-low"),
                Reason(f"{label}-too-high"),
                Reason(f"{label}-no-number", "error"),
            )
            decision_fields: ClassVar[frozenset[str]] = frozenset({"min", "max"})

            def __init__(self, config: ScoreLimits, context: StageContext) -> None:
                self._min, self._max = (
                    None if limit is None else round(limit * schema.RATIO_SCALE) for limit in (config.min, config.max)
                )

            def open(self) -> None:
                """Nothing to load."""

            def apply(self, batch: pa.RecordBatch) -> Verdict:
                """Score every row."""
                texts = batch.column(column).to_pylist()
                values = [None if text is None else quantised(function(text)) for text in texts]
                bad = [text is not None and value is None for text, value in zip(texts, values, strict=True)]
                return Verdict(np.array(bad, np.uint8) * NO_NUMBER, {label: pa.array(values, pa.int64())})

            def decide(self, scores: pa.RecordBatch) -> Verdict:
                """Compare with the limits."""
                known = scores.column(label).is_valid().to_numpy(zero_copy_only=False)
                value = pc.fill_null(scores.column(label), 0).to_numpy()
                reason = np.zeros(len(value), np.uint8)
                if self._max is not None:
                    reason[known & (value > self._max)] = TOO_HIGH
                if self._min is not None:
                    reason[known & (value < self._min)] = TOO_LOW
                limits = {TOO_LOW: f"< {config_limit(self._min)}", TOO_HIGH: f"> {config_limit(self._max)}"}
                rule = [
                    {"agent": None, "signal": None, "line": None, "text": f"{label} {v / 1e4:.4f} {limits[r]}"}
                    if r
                    else None
                    for v, r in zip(value.tolist(), reason.tolist(), strict=True)
                ]
                return Verdict(reason, {}, pa.array(rule, schema.RULE))

        PerDocument.__name__ = PerDocument.__qualname__ = label
        PerDocument.__module__ = function.__module__
        PerDocument.__doc__ = function.__doc__
        return PerDocument

    return decorate
