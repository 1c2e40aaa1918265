"""The map stage: drops a page whose owner reserved it, by any signal that the policy counts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import schema
from lauter.pipeline.contract import Reason, ReportSection, StageConfig, StageContext, Verdict, Verifier
from lauter.pipeline.origin import origin_id, relatives
from lauter.stages.optout.config import OptOutConfig, effective_agents, effective_hosts, effective_policy
from lauter.stages.optout.findings import Findings
from lauter.stages.optout.index.finish import INDEX_FILE
from lauter.stages.optout.index.origins import OUTCOMES, OriginIndex
from lauter.stages.optout.index.prepare import PartitionedCompile
from lauter.stages.optout.index.terms import Terms
from lauter.stages.optout.index.urls import Places, split
from lauter.stages.optout.reasons import CODES, REASONS
from lauter.stages.optout.report import optout_report
from lauter.stages.optout.reserved import PageReader, wanted
from lauter.stages.optout.signals.page import page_signals
from lauter.stages.optout.signals.raw import PAGE_SIGNAL
from lauter.stages.optout.snapshot.answer import parse_time
from lauter.stages.optout.tell import tell

_COLUMNS = pa.schema([schema.RECORD.field(name) for name in ("fetched_at", "http_headers", "payload", "media_type")])
_MISSING = OUTCOMES.index("missing")


class OptOut(PartitionedCompile):
    """Drops pages of owners who opted out; leaves for every page what its keep or its drop rests on."""

    name: ClassVar[str] = "optout"
    version: ClassVar[int] = 3
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
    def verifier(cls, config: OptOutConfig, options: Mapping[str, Any]) -> Verifier:
        """`contract.VerifiedStage`: by another parser, over the snapshot itself."""
        from lauter.stages.optout.verify.verifier import verifier

        return verifier(config, options)

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
        self._ask_relatives(found, places, rows, skip_tdm)
        if self.policy.also_at_crawl_time and "fetched_at" in batch.schema.names:
            self._ask_of_then(found, places, batch.column("fetched_at"), skip_tdm)
        if reserved is not None:
            found.by_page(reserved)
        self._apply_lists(found, places)
        found.reason[~places.known] = CODES["no-origin"]
        columns = {
            "origin_id": pa.array(places.origin_id, pa.uint64(), mask=~places.known),
            "basis": found.basis(),
        }
        return Verdict(found.reason, columns, found.rule(), signals)

    def _ask_relatives(
        self, found: Findings, places: Places, rows: NDArray[np.int64], skip_tdm: NDArray[np.bool_] | None
    ) -> None:
        """Ask the other names of origins whose robots.txt the snapshot lacks: the first that it has may deny."""
        outcome = self._index.outcomes(rows)
        missing = np.flatnonzero(places.known & ((rows < 0) | (outcome == _MISSING)))
        if not len(missing):
            return
        names = {int(places.origin_id[i]): places.origin(int(i)) for i in missing[::-1]}
        kinds = {"scheme": self.policy.scheme_fallback, "www": self.policy.www_fallback}
        others = {one: relatives(name, **kinds) for one, name in names.items()}
        asked = list(dict.fromkeys(name for some in others.values() for name in some))
        row_of = dict(zip(asked, self._index.find(asked).tolist(), strict=True))
        first: dict[int, tuple[int, str]] = {}
        for one, some in others.items():
            known = [n for n in some if row_of[n] >= 0 and self._index.outcomes(np.array([row_of[n]]))[0] != _MISSING]
            if known:
                first[one] = row_of[known[0]], known[0]
        pages = np.array([i for i in missing if int(places.origin_id[i]) in first], np.int64)
        if len(pages):
            where = np.full(len(places), -1, np.int64)
            where[pages] = [first[int(places.origin_id[i])][0] for i in pages]
            found.by_relative(
                pages,
                where,
                skip_tdm,
                ids=np.array([origin_id(first[int(places.origin_id[i])][1]) for i in pages], np.uint64),
                via=[_via(places.origin(int(i)), first[int(places.origin_id[i])][1]) for i in pages],
            )
        found.missing(missing, lost=self._index.lost)

    def _ask_of_then(
        self, found: Findings, places: Places, fetched_at: pa.Array, skip_tdm: NDArray[np.bool_] | None
    ) -> None:
        """Ask what stood when the pages were crawled, of those against which nothing stands now."""
        seconds = fetched_at.cast(pa.timestamp("s", tz="UTC")).cast(pa.int64())
        dated = seconds.is_valid().to_numpy(zero_copy_only=False)
        pages = np.flatnonzero(places.known & dated & (found.reason == 0))
        rows = self._index.find_places(places, seconds.fill_null(0).to_numpy())
        found.by_origin(pages[rows[pages] >= 0], rows, skip_tdm)

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


def _via(origin: str, other: str) -> str:
    """How another name of an origin differs from it."""
    scheme = ["scheme"] if origin.partition(":")[0] != other.partition(":")[0] else []
    www = ["www"] if origin.partition("://")[2] != other.partition("://")[2] else []
    return "+".join(scheme + www)
