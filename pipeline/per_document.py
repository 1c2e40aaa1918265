"""A user's own stage in five lines: a function of one text becomes a map stage.

    from lauter.pipeline.per_document import per_document

    @per_document("text")
    def exclamations(text: str) -> float:
        return text.count("!") / max(len(text), 1)

In the manifest: `- use: mymodule:exclamations` and, if wanted, `with: {max: 0.02}`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from lauter.pipeline import schema
from lauter.pipeline.contract import Reason, StageConfig, StageContext, Verdict


class ScoreLimits(StageConfig):
    """Which scores a document may have; both limits are allowed values. Without limits the score is only stored."""

    min: float | None = None
    max: float | None = None


def config_limit(value: int | None) -> str:
    """A quantised limit as the manifest states it."""
    return "-" if value is None else f"{value / schema.RATIO_SCALE:.4f}"


def per_document(column: str) -> Callable[[Callable[[str], float]], type[Any]]:
    """Turn `f(text) -> float` into a map stage that reads `column` and writes a score column named after the function.

    The score is stored as round(value * 10,000), int64; `min` and `max` in the manifest decide softly, with the reasons
    `<name>-too-low` and `<name>-too-high`. A value that is no finite number is an error of the row.
    """

    def decorate(function: Callable[[str], float]) -> type[Any]:
        label = function.__name__

        class PerDocument:
            name: ClassVar[str] = label
            version: ClassVar[int] = 1
            Config: ClassVar[type[StageConfig]] = ScoreLimits
            reads: ClassVar[tuple[str, ...]] = (column,)
            documents: ClassVar[pa.Schema] = pa.schema([])
            scores: ClassVar[pa.Schema] = pa.schema([pa.field(label, pa.int64())])
            reasons: ClassVar[tuple[Reason, ...]] = (Reason(f"{label}-too-low"), Reason(f"{label}-too-high"))
            decision_fields: ClassVar[frozenset[str]] = frozenset({"min", "max"})

            def __init__(self, config: ScoreLimits, context: StageContext) -> None:
                self._min, self._max = (
                    None if limit is None else round(limit * schema.RATIO_SCALE) for limit in (config.min, config.max)
                )

            def open(self) -> None:
                """Nothing to load."""

            def apply(self, batch: pa.RecordBatch) -> Verdict:
                """Score every row."""
                values = [round(function(text) * schema.RATIO_SCALE) for text in batch.column(column).to_pylist()]
                return Verdict(np.zeros(batch.num_rows, np.uint8), {label: pa.array(values, pa.int64())})

            def decide(self, scores: pa.RecordBatch) -> Verdict:
                """Compare with the limits."""
                value = scores.column(label).to_numpy()
                reason = np.zeros(len(value), np.uint8)
                if self._max is not None:
                    reason[value > self._max] = 2
                if self._min is not None:
                    reason[value < self._min] = 1
                limits = {1: f"< {config_limit(self._min)}", 2: f"> {config_limit(self._max)}"}
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
