"""The stage `brands`: an assistant that says it is another one, or speaks of others, is no example to learn from.

Apertus removes such dialogues by a list of keywords (arXiv 2509.14233, section 4.1). Here what is found is counted by
how much it says: a claim of an assistant about itself, a name in what the assistant says, a name anywhere. How much is
too much is decided later, from counts alone. Names that mean other things too (Claude, Gemini, Google) count in claims
only. The file of names and claims, in some twenty languages, can be replaced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from lauter.pipeline import schema
from lauter.pipeline.contract import FilePath, Reason, ReportSection, ReportTable, StageConfig, StageContext, Verdict
from lauter.stages.brands.names import EMBEDDED, Patterns, read_names
from lauter.stages.speakers import Speaker, stretches

_SCORES = schema.fields(schema.SCORE, "brand", "brand_claims", "brand_answers", "brand_mentions")
_OWN = (Speaker.ANSWER, Speaker.THOUGHTS)

DROPPED = {"claims": ("brand_claims",), "answers": ("brand_claims", "brand_answers"), "anywhere": _SCORES.names[1:]}
"""What is too much -> the counts that must be 0."""


class BrandsConfig(StageConfig):
    """What is looked for, and what is too much."""

    names: FilePath | None = None
    """A file of your own in place of the one that comes with Lauter: `stages/brands/brands.yaml` is the form."""

    drop: Literal["claims", "answers", "anywhere"] | None = "answers"
    """`claims`: only where the assistant says that it is one of them; `answers`: where it names one; `anywhere`: where
    the user or the system text does, too. None: nothing is dropped."""


class Brands:
    """Counts names of other assistants, and drops dialogues that have too many."""

    name: ClassVar[str] = "brands"
    version: ClassVar[int] = 1
    Config: ClassVar[type[StageConfig]] = BrandsConfig
    reads: ClassVar[tuple[str, ...]] = ("text", "marks")
    documents: ClassVar[pa.Schema] = pa.schema([])
    scores: ClassVar[pa.Schema] = _SCORES
    reasons: ClassVar[tuple[Reason, ...]] = (Reason("claims-a-brand"), Reason("names-a-brand"))
    decision_fields: ClassVar[frozenset[str]] = frozenset({"drop"})

    @classmethod
    def check_config(cls, config: BrandsConfig) -> None:
        """Raises ValueError for a file that can't be used."""
        read_names(_path(config))

    def __init__(self, config: BrandsConfig, context: StageContext) -> None:
        self._config = config
        self._patterns: Patterns = read_names(_path(config))

    def open(self) -> None:
        """Nothing to load."""

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """Count in each dialogue; drops nothing. `brand` is the name that says most, in the text's own spelling."""
        rows = [
            {} if marks is None else self._counted(text or "", marks)
            for text, marks in zip(batch.column("text").to_pylist(), batch.column("marks").to_pylist(), strict=True)
        ]
        columns = {field.name: pa.array([row.get(field.name) for row in rows], field.type) for field in _SCORES}
        return Verdict(np.zeros(batch.num_rows, np.uint8), columns)

    def _counted(self, text: str, marks: Sequence[Mapping[str, Any]]) -> dict[str, int | str | None]:
        found: dict[str, list[str]] = {name: [] for name in _SCORES.names[1:]}
        for said in stretches(marks, len(text)):
            part = text[said.start : said.end]
            mentions = _matches(self._patterns.mention, part)
            found["brand_mentions"] += mentions
            if said.speaker in _OWN:
                found["brand_answers"] += mentions
                found["brand_claims"] += self._claims(part)
        counts: dict[str, int | str | None] = {name: len(matches) for name, matches in found.items()}
        return {**counts, "brand": next((matches[0] for matches in found.values() if matches), None)}

    def _claims(self, part: str) -> list[str]:
        pattern = self._patterns.claim
        return _matches(pattern, part) if pattern is not None and self._patterns.named.search(part) else []

    def decide(self, scores: pa.RecordBatch) -> Verdict:
        """Drop what has too much; the rule names the brand, and the count that was not 0."""
        reason = np.zeros(scores.num_rows, np.uint8)
        rules: list[dict[str, str] | None] = [None] * scores.num_rows
        wanted = DROPPED[self._config.drop] if self._config.drop is not None else ()
        for row, counts in enumerate(scores.select(_SCORES.names).to_pylist()):
            name = next((name for name in wanted if counts[name]), None)
            if name is not None:
                reason[row] = 1 if name == "brand_claims" else 2
                rules[row] = {"signal": name, "text": counts["brand"]}
        return Verdict(reason, rule=pa.array(rules, schema.RULE))

    @classmethod
    def report(
        cls, summary: Mapping[str, Any], prepared: Mapping[str, int], config: BrandsConfig
    ) -> ReportSection | None:
        """How many dialogues were dropped."""
        row = next((row for row in summary["funnel"] if row["stage"] == cls.name), None)
        if row is None or not row["records"]:
            return None
        reasons = tuple(sorted(row["reasons"].items()))
        return ReportSection(
            "Other assistants",
            (f"In {row['ended']:,} of {row['records']:,} dialogues other assistants are named, or claimed to be.",),
            tables=(ReportTable("Dialogues that ended here", ("why", "dialogues"), reasons),) if reasons else (),
        )


def _matches(pattern: re.Pattern[str], text: str) -> list[str]:
    """The name in each match."""
    return [" ".join(next(group for group in match.groups() if group).split()) for match in pattern.finditer(text)]


def _path(config: BrandsConfig) -> Path:
    return EMBEDDED if config.names is None else Path(config.names)
