"""A stage that prepares a table of origins, and drops what stands in it: opt-out without robots.txt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from lauter.pipeline import schema
from lauter.pipeline.contract import StageContext, Verdict
from lauter.pipeline.manifest import Catalogue
from tests.pipeline import small_stages
from tests.pipeline.small_stages import Lookup, LookupConfig

FETCHED_AT = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


class Origins(Lookup):
    """Drops URLs on a list, with the origin and the list's line as evidence."""

    name: ClassVar[str] = "origins"

    def __init__(self, config: LookupConfig, context: StageContext) -> None:
        super().__init__(config, context)

    def prepare(self, out: str) -> Mapping[str, int]:
        """Also write one row per blocked origin."""
        counts = super().prepare(out)
        lines = sorted(Path(self._path).read_text().split())
        table = pa.table(
            {
                "origin_id": pa.array([xxhash.xxh3_64_intdigest(line) for line in lines], pa.uint64()),
                "origin": pa.array(lines),
                "status": pa.array([200] * len(lines), pa.int32()),
                "fetched_at": pa.array([FETCHED_AT] * len(lines), pa.timestamp("s", tz="UTC")),
                "sha256": pa.array([bytes(range(32))] * len(lines), pa.binary(32)),
            }
        )
        pq.write_table(table, Path(out) / "origins.parquet")
        pq.write_table(pa.table({"other": pa.array([1])}), Path(out) / "other.parquet")
        return counts

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """Name the rule of what is dropped."""
        verdict = super().apply(batch)
        rule = {"agent": "tester", "signal": "list", "line": 1, "text": "blocked"}
        rules = [rule if reason else None for reason in verdict.reason]
        return replace(verdict, rule=pa.array(rules, schema.RULE))


CATALOGUE = Catalogue(
    readers=small_stages.CATALOGUE.readers,
    stages={**small_stages.CATALOGUE.stages, "origins": "tests.pipeline.origin_stage:Origins"},
    barriers=small_stages.CATALOGUE.barriers,
    encoder=small_stages.CATALOGUE.encoder,
)
