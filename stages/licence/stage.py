"""The licence stage: what has no licence, or none that is on the list, is dropped at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from lauter.pipeline import schema
from lauter.pipeline.contract import Reason, ReportSection, StageConfig, StageContext, Verdict
from lauter.stages.licence.expression import Grade, NoExpression, grade, grader, together
from lauter.stages.licence.lists import known, named
from lauter.stages.licence.report import licence_report

MOST_TOLD = 200
"""Characters of what is declared that are told as evidence. A longer one may be a licence text, which begins with the
names and addresses of its holders; so may one with an at sign."""

_NOTHING = frozenset({"", "none", "noassertion", "no_license", "null", "unknown", "other"})
"""What says that no licence is known, in lower case: SPDX's NONE and NOASSERTION, and what collectors of code write."""


class LicenceConfig(StageConfig):
    """Which licences may be used."""

    allowed: tuple[str, ...] = Field(default=("permissive",), strict=False, min_length=1)
    """SPDX identifiers, `permissive` (those that the Blue Oak Council rates bronze or better) or one of its ratings
    (`lead`)."""

    names: dict[str, str] = Field(default_factory=dict)
    """What a source writes -> an SPDX expression, where it writes no identifiers: `{"MIT License": MIT}`."""


class Licence:
    """Drops a record whose declared licences do not all allow its use.

    `licences` are what the source says of a record, each an SPDX expression; all of them hold. A choice (`MIT OR
    GPL-3.0-only`) may be used where one side may. What is unknown is no permission.
    """

    name: ClassVar[str] = "licence"
    version: ClassVar[int] = 1
    Config: ClassVar[type[StageConfig]] = LicenceConfig
    reads: ClassVar[tuple[str, ...]] = ("licences",)
    documents: ClassVar[pa.Schema] = schema.fields(schema.DOCUMENT, "licence")
    scores: ClassVar[pa.Schema] = pa.schema([])
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason("no-licence"),
        Reason("unknown-licence"),
        Reason("licence-not-allowed"),
    )

    @classmethod
    def check_config(cls, config: LicenceConfig) -> None:
        """Raises ValueError for what names no licence."""
        for entry in config.allowed:
            named(entry)
        for written, expression in config.names.items():
            try:
                unknown = grade(expression, grader(known(), frozenset())) == Grade.UNKNOWN
            except NoExpression as error:
                raise ValueError(f"names.{written}: {expression!r} is no SPDX expression: {error}") from error
            if unknown:
                raise ValueError(f"names.{written}: {expression!r} has an identifier that SPDX does not know")

    @classmethod
    def report(
        cls, summary: Mapping[str, Any], prepared: Mapping[str, int], config: LicenceConfig
    ) -> ReportSection | None:
        """How many records may be used, and why others may not."""
        return licence_report(summary, config.allowed)

    def __init__(self, config: LicenceConfig, context: StageContext) -> None:
        self._names = {written.strip().lower(): expression for written, expression in config.names.items()}
        self._of = grader(known(), frozenset(name for entry in config.allowed for name in named(entry)))
        self._graded = lru_cache(maxsize=4096)(self._grade)

    def open(self) -> None:
        """Nothing to load."""

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """Grade the licences of each record; the evidence of a drop is what was declared."""
        declared: list[list[str | None] | None] = batch.column("licences").to_pylist()
        reason = np.zeros(batch.num_rows, np.uint8)
        written: list[str | None] = [None] * batch.num_rows
        evidence: list[dict[str, Any] | None] = [None] * batch.num_rows
        for row, licences in enumerate(declared):
            code, text = self._graded(tuple(licences or ()))
            reason[row], written[row] = code, text or None
            if code:
                evidence[row] = {"agent": None, "signal": "licence", "line": None, "text": _told(text)}
        return Verdict(reason, {"licence": pa.array(written, pa.string())}, pa.array(evidence, schema.RULE))

    def _grade(self, licences: Sequence[str | None]) -> tuple[int, str]:
        """The code of a reason (0: may be used), and all licences as one expression."""
        said = [(text or "").strip() for text in licences]
        said = [self._names.get(text.lower(), text) for text in said if text.lower() not in _NOTHING]
        if not said or len(said) < len(licences):
            return 1, ""
        whole = Grade.ALLOWED
        for text in said:
            try:
                found = grade(text, self._of)
            except NoExpression:
                found = Grade.UNKNOWN
            whole = together(whole, found)
        text = said[0] if len(said) == 1 else " AND ".join(f"({each})" if " " in each else each for each in said)
        return {Grade.ALLOWED: 0, Grade.UNKNOWN: 2, Grade.FORBIDDEN: 3}[whole], text


def _told(text: str) -> str | None:
    if len(text) > MOST_TOLD or "@" in text:
        return f"a text of {len(text):,} characters"
    return text or None
