"""The map stage: drops a page whose owner reserved it, by any signal that the policy counts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import schema
from lauter.pipeline.contract import Reason, ReportSection, StageConfig, StageContext, Verdict
from lauter.pipeline.verifying import Verifier
from lauter.stages.optout.config import OptOutConfig, effective_agents, effective_hosts, effective_policy
from lauter.stages.optout.findings import Findings
from lauter.stages.optout.index.finish import INDEX_FILE
from lauter.stages.optout.index.origins import OriginIndex
from lauter.stages.optout.index.prepare import PartitionedCompile
from lauter.stages.optout.index.terms import Terms
from lauter.stages.optout.index.urls import Places, split
from lauter.stages.optout.reasons import CODES, REASONS
from lauter.stages.optout.relatives import Relatives
from lauter.stages.optout.report import optout_report
from lauter.stages.optout.reserved import PageReader, wanted
from lauter.stages.optout.signals.page import page_signals
from lauter.stages.optout.signals.raw import PAGE_SIGNAL
from lauter.stages.optout.snapshot.answer import parse_time
from lauter.stages.optout.tell import tell
from lauter.stages.optout.verify.audited import audited

_COLUMNS = pa.schema([schema.RECORD.field(name) for name in ("fetched_at", "http_headers", "payload", "media_type")])


class OptOut(PartitionedCompile):
    """Drops pages of owners who opted out; leaves for every page what its keep or its drop rests on."""

    name: ClassVar[str] = "optout"
    version: ClassVar[int] = 4
    libraries: ClassVar[tuple[str, ...]] = ("robotexclusionrulesparser", "idna")
    Config: ClassVar[type[StageConfig]] = OptOutConfig
    reads: ClassVar[tuple[str, ...]] = ("url", *_COLUMNS.names)
    documents: ClassVar[pa.Schema] = schema.fields(schema.DOCUMENT, "origin_id")
    scores: ClassVar[pa.Schema] = pa.schema([])
    ledger: ClassVar[pa.Schema] = schema.fields(schema.DOCUMENT, "basis")
    signals: ClassVar[bool] = True
    reasons: ClassVar[tuple[Reason, ...]] = REASONS
    decision_fields: ClassVar[frozenset[str]] = frozenset({"mirrors"})

    @classmethod
    def check_config(cls, config: OptOutConfig) -> None:
        """Raises ValueError for an unknown or unreadable policy, list of agents or list of hosts, before any work."""
        cls(config, StageContext())

    @classmethod
    def mirrors(cls, config: OptOutConfig) -> Literal["keep", "drop"]:
        """`contract.MirroringStage`."""
        return effective_policy(config).mirrors

    @classmethod
    def audited(cls, config: OptOutConfig, options: Mapping[str, Any]) -> OptOutConfig:
        """`verifying.VerifiedStage`: `snapshot` and `policy` of the auditor's."""
        return audited(config, options)

    @classmethod
    def verifier(cls, config: OptOutConfig) -> Verifier:
        """`verifying.VerifiedStage`: by another parser, over the snapshot itself."""
        from lauter.stages.optout.verify.verifier import Verifier as SecondReader

        return SecondReader(config)

    @classmethod
    def report(
        cls, summary: Mapping[str, Any], prepared: Mapping[str, int], config: OptOutConfig
    ) -> ReportSection | None:
        """`contract.ReportingStage`."""
        return optout_report(summary, prepared, config)

    @classmethod
    def tell(cls, row: Mapping[str, Any]) -> str | None:
        """What it found of a page, in plain words."""
        return tell(row)

    def __init__(self, config: OptOutConfig, context: StageContext) -> None:
        """Raises ValueError for an unknown or unreadable policy, list of agents or list of hosts."""
        self.config = config
        self.context = context
        self.policy = effective_policy(config)
        self.agents = effective_agents(config, self.policy)
        self.hosts = effective_hosts(config)
        self.terms = Terms.of(self.policy, self.agents.names, parse_time(config.as_of, end_of_day=True))
        self._pages = PageReader(self.policy, self.agents.names) if wanted(self.policy) else None

    def prepare(self, out: str) -> Mapping[str, int]:
        """Compile the snapshots into `out/robots.arrow` and `out/origins.parquet` (see `index.compile`)."""
        return self.prepare_whole(self.config.snapshot, out)

    def open(self) -> None:
        """Map the compiled index. Raises ValueError if `prepare` made none."""
        if self.context.artefacts is None:
            raise ValueError("optout needs the folder that its prepare() filled")
        self._index = OriginIndex(str(Path(self.context.artefacts) / INDEX_FILE))
        self._relatives = Relatives(self._index, self.policy)

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """Decide every page of a batch. Columns other than `url` that are not there count as null."""
        places = split(batch.column("url"))
        found = Findings(self._index, self.policy, places)
        signals = page_signals(_whole(batch)) if self._pages else pa.RecordBatch.from_pylist([], PAGE_SIGNAL)
        reserved = self._pages.read(signals, batch.num_rows) if self._pages else None
        # Under the strict reading a page may add a reservation to its origin's file, and never lifts one.
        strict = reserved is None or self.policy.reading == "strict"
        skip_tdm = None if strict or reserved is None else reserved.speaks_of_tdm

        rows = self._index.find_places(places)
        found.by_origin(np.arange(batch.num_rows), rows, skip_tdm)
        missing = self._relatives.missing(places, rows)
        self._relatives.ask(found, places, missing, skip_tdm)
        found.missing(missing, lost=self._index.lost)
        if self.policy.also_at_crawl_time and "fetched_at" in batch.schema.names:
            self._ask_of_then(found, places, batch.column("fetched_at"), skip_tdm)
        if reserved is not None:
            found.by_page(reserved)
        self._apply_lists(found, places)
        found.reason[~places.known] = CODES["no-origin"]
        evidence = found.evidence()
        columns = {
            "origin_id": pa.array(places.origin_id, pa.uint64(), mask=~places.known),
            "basis": found.basis(evidence),
        }
        return Verdict(found.reason, columns, found.rule(evidence), signals)

    def _ask_of_then(
        self, found: Findings, places: Places, fetched_at: pa.Array, skip_tdm: NDArray[np.bool_] | None
    ) -> None:
        """Ask what stood when the pages were crawled, of those to which no owner objects now."""
        seconds = fetched_at.cast(pa.timestamp("s", tz="UTC")).cast(pa.int64())
        dated = seconds.is_valid().to_numpy(zero_copy_only=False)
        times = seconds.fill_null(0).to_numpy()
        rows = self._index.find_places(places, times)
        found.by_origin(np.flatnonzero(dated), rows, skip_tdm)
        missing = self._relatives.missing(places, rows)
        self._relatives.ask(found, places, missing[dated[missing]], skip_tdm, times)

    def _apply_lists(self, found: Findings, places: Places) -> None:
        if not self.hosts:
            return
        known = np.flatnonzero(places.known)
        listed = {int(places.origin_id[i]): self.hosts.find(places.origin(int(i))) for i in known}
        for i in known.tolist():
            entry = listed[int(places.origin_id[i])]
            if entry is not None:
                found.by_list(i, allow=entry.allow, why=entry.reason)


def _whole(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with all columns that a page's own signals are read from."""
    names = batch.schema.names
    columns = [
        batch.column(field.name) if field.name in names else pa.nulls(batch.num_rows, field.type) for field in _COLUMNS
    ]
    return pa.RecordBatch.from_arrays(columns, schema=_COLUMNS)
