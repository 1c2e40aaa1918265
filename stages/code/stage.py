"""The code stage: scores of source files, and decisions from scores."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from lauter.pipeline import schema
from lauter.pipeline.contract import Reason, StageConfig, StageContext, Verdict
from lauter.stages.code.marks import FIRST_BYTES, extension, says_generated
from lauter.stages.code.rules import GENERATED, MEAN_SCALE, RULES
from lauter.stages.code.thresholds import CodeConfig
from lauter.stages.kernels import code as counted
from lauter.stages.kernels.code import measure_code
from lauter.stages.kernels.words import text_buffers

_MOST = 2**31 - 1


class Code:
    """Drops source files that are data, minified, or written by a program; by StarCoder 2's thresholds.

    The rules of web pages (words, stop words, repetition) say nothing of code: with `sources:` beside a stage's entry a
    manifest lets each kind of text pass its own stages.
    """

    name: ClassVar[str] = "code"
    version: ClassVar[int] = 2
    Config: ClassVar[type[StageConfig]] = CodeConfig
    reads: ClassVar[tuple[str, ...]] = ("text", "path")
    documents: ClassVar[pa.Schema] = pa.schema([])
    scores: ClassVar[pa.Schema] = schema.fields(
        schema.SCORE,
        "extension",
        "lines",
        "max_line_length",
        "mean_line_length",
        "letter_ratio",
        "alphanumeric_ratio",
        "encoded_ratio",
        "max_encoded_length",
        "generated",
    )
    reasons: ClassVar[tuple[Reason, ...]] = (Reason(GENERATED), *(Reason(rule.reason) for rule in RULES))
    decision_fields: ClassVar[frozenset[str]] = frozenset(CodeConfig.model_fields)

    def __init__(self, config: CodeConfig, context: StageContext) -> None:
        self.config = config

    def open(self) -> None:
        """Nothing to load."""

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """Score a batch with the columns `text` and `path`; drops nothing. A null text counts as empty."""
        offsets, data = text_buffers(batch.column("text"))
        counts = measure_code(offsets, data).T
        characters = np.maximum(counts[counted.CHARACTERS], 1)
        lines = np.maximum(counts[counted.LINES], 1)
        generated = [
            says_generated(data[start : min(start + FIRST_BYTES, end)].tobytes())
            for start, end in itertools.pairwise(offsets.tolist())
        ]
        arrays: dict[str, Any] = {
            "extension": [extension(path) for path in batch.column("path").to_pylist()],
            "lines": counts[counted.LINES],
            "max_line_length": counts[counted.LONGEST_LINE],
            # Half a hundredth is nothing to decide by: the quotient is cut.
            "mean_line_length": counts[counted.LINE_CHARACTERS] * MEAN_SCALE // lines,
            "letter_ratio": counts[counted.LETTERS] * schema.RATIO_SCALE // characters,
            "alphanumeric_ratio": (counts[counted.LETTERS] + counts[counted.DIGITS]) * schema.RATIO_SCALE // characters,
            "encoded_ratio": counts[counted.ENCODED] * schema.RATIO_SCALE // characters,
            "max_encoded_length": counts[counted.LONGEST_ENCODED],
            "generated": generated,
        }
        columns = {
            field.name: pa.array(
                np.minimum(found, _MOST) if isinstance(found := arrays[field.name], np.ndarray) else found
            ).cast(field.type)
            for field in self.scores
        }
        return Verdict(np.zeros(batch.num_rows, np.uint8), columns)

    def decide(self, scores: pa.RecordBatch) -> Verdict:
        """The first rule that each file breaks, with score and threshold as evidence."""
        reason = np.zeros(scores.num_rows, np.uint8)
        evidence: list[dict[str, str | None] | None] = [None] * scores.num_rows
        if not self.config.generated:
            for row in np.flatnonzero(np.asarray(scores.column("generated").fill_null(False))):  # noqa: FBT003 - a value
                reason[row], evidence[row] = 1, _evidence("says so in its first lines")
        for number, rule in enumerate(RULES, 2):
            broken, value = rule.broken(scores, self.config)
            for row in np.flatnonzero(broken & (reason == 0)):
                reason[row] = number
                evidence[row] = _evidence(rule.evidence(int(value[row]), rule.limit(self.config) or 0))
        return Verdict(reason, rule=pa.array(evidence, schema.RULE))


def _evidence(text: str) -> dict[str, str | None]:
    return {"agent": None, "signal": "starcoder2", "line": None, "text": text}
