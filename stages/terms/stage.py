"""The stage `terms`: what a model wrote goes where the model's own terms forbid to train others on it.

Idea and need: Apertus leaves out data whose generator's terms are restrictive (arXiv 2509.14233, section 4.1). A
dialogue says who wrote its answers in a column (`columns: {generator: model}` of the reader), or all of a source do
(`generator: human`). Where several are named with commas, all of them must allow it. The licence of the data set is a
matter of the stage `licence`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from lauter.pipeline import schema
from lauter.pipeline.contract import FilePath, Reason, ReportSection, ReportTable, StageConfig, StageContext, Verdict
from lauter.stages.terms import table

MOST_TOLD = 100
"""Characters of a declared name that are told as evidence."""

_DENIED, _UNKNOWN, _UNDECLARED = 1, 2, 3

_WORDS = {
    "generator-terms": "the terms of the model that wrote it forbid it",
    "generator-unknown": "a model that the table does not know",
    "generator-undeclared": "nobody says who wrote it",
}


class TermsConfig(StageConfig):
    """Which models' words may be used."""

    models: Mapping[str, Literal["allow", "deny"]] = Field(default_factory=dict)
    """Name of a model (`*` is anything) -> its terms. It comes before the table; the first name that fits counts."""

    generators: FilePath | None = None
    """A table of your own in place of the one that comes with Lauter: `stages/terms/generators.yaml` is the form."""

    unknown: Literal["drop", "keep"] = "drop"
    """What becomes of a record by a model that is in neither."""

    undeclared: Literal["drop", "keep"] = "drop"
    """What becomes of a record that names no model."""


class Terms:
    """Drops what a model wrote whose terms forbid it, and what nobody knows."""

    name: ClassVar[str] = "terms"
    version: ClassVar[int] = 1
    Config: ClassVar[type[StageConfig]] = TermsConfig
    reads: ClassVar[tuple[str, ...]] = ("generator",)
    documents: ClassVar[pa.Schema] = schema.fields(schema.DOCUMENT, "generator")
    scores: ClassVar[pa.Schema] = pa.schema([])
    reasons: ClassVar[tuple[Reason, ...]] = tuple(Reason(name) for name in _WORDS)

    @classmethod
    def check_config(cls, config: TermsConfig) -> None:
        """Raises ValueError for a table that can't be used."""
        table.read_table(_path(config))

    def __init__(self, config: TermsConfig, context: StageContext) -> None:
        self._config = config
        self._terms = table.Terms([*table.own_lines(config.models), *table.read_table(_path(config))])

    def open(self) -> None:
        """Nothing to load."""

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """Look up each record's model; the evidence names it, the line of the table, and why."""
        column = batch.column("generator")
        reason = np.zeros(batch.num_rows, np.uint8)
        rules: list[dict[str, str | None] | None] = [None] * batch.num_rows
        for row, declared in enumerate(column.to_pylist()):
            code, name, line = self._judged(declared or "")
            if code:
                reason[row] = code
                told = (line.name, line.why) if line is not None else (None, None)
                rules[row] = {"agent": name[:MOST_TOLD] or None, "signal": told[0], "text": told[1]}
        return Verdict(reason, {"generator": column}, pa.array(rules, schema.RULE))

    def _judged(self, declared: str) -> tuple[int, str, table.Generator | None]:
        """Code of a reason (0: may be used), the model that it is for, and its line."""
        names = [name for part in declared.split(",") if (name := part.strip())]
        if not names:
            return (_UNDECLARED if self._config.undeclared == "drop" else 0), "", None
        lines = [(name, self._terms.of(name)) for name in names]
        for name, line in lines:
            if line is not None and line.terms == "deny":
                return _DENIED, name, line
        strange = next((name for name, line in lines if line is None), None)
        if strange is not None and self._config.unknown == "drop":
            return _UNKNOWN, strange, None
        return 0, "", None

    @classmethod
    def report(
        cls, summary: Mapping[str, Any], prepared: Mapping[str, int], config: TermsConfig
    ) -> ReportSection | None:
        """How many records may be used, and why others may not."""
        row = next((row for row in summary["funnel"] if row["stage"] == cls.name), None)
        if row is None or not row["records"]:
            return None
        left = row["records"] - row["ended"]
        reasons = tuple((_WORDS.get(name, name), count) for name, count in sorted(row["reasons"].items()))
        said = "Text that a model wrote is used only where the model's terms do not forbid to train others on it."
        return ReportSection(
            "Terms of models that wrote text",
            (f"{left:,} of {row['records']:,} records are by people or models whose terms allow their use.",),
            tables=(ReportTable("Records that ended here", ("why", "records"), reasons),) if reasons else (),
            answers={"3.1": (said,)},
        )


def _path(config: TermsConfig) -> Path:
    return table.EMBEDDED if config.generators is None else Path(config.generators)
