"""The map stage: drops a page whose origin's robots.txt disallows one of the policy's agents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field, field_validator

from lauter.pipeline import schema
from lauter.pipeline.contract import FilePath, Reason, SnapshotPath, StageConfig, StageContext, Verdict
from lauter.pipeline.origin import Location, locate, origin_id, relatives
from lauter.stages.optout.agents import load_file, load_preset
from lauter.stages.optout.index.compile import INDEX_FILE, compile_snapshots
from lauter.stages.optout.index.match import OVER_LIMIT
from lauter.stages.optout.index.origins import OUTCOMES, OriginIndex
from lauter.stages.optout.robots.rules import Reading
from lauter.stages.optout.snapshot.answer import parse_time

SIGNAL = "robots.txt"

_DISALLOW, _UNREACHABLE, _UNPARSABLE, _MISSING, _NO_ORIGIN, _LOST, _FORBIDDEN = range(1, 8)
_RULES, _ALLOW = OUTCOMES.index("rules"), OUTCOMES.index("allow")

Policy = Literal["allow", "deny"]


class OptOutConfig(StageConfig):
    """Which robots.txt files count, for whom, and what happens where there is none."""

    snapshot: tuple[SnapshotPath, ...] = Field(default=(), strict=False)
    """Archived robots.txt answers (`snapshot.read_snapshot`), read as one. Empty: every origin is missing."""

    agents: str = "apertus-2025-01"
    """Name of a list of agents that comes with Lauter."""

    agents_file: FilePath | None = None
    """A list of your own (YAML with `name` and `agents`); takes the place of `agents`."""

    reading: Reading = "rfc9309"
    """`rfc9309`: the standard. `strict`: what a first-match reader of the older drafts would obey is an opt-out too."""

    as_of: str | None = None
    """ISO 8601 date (its last second, UTC) or time: later answers are not looked at. None: the newest counts."""

    on_missing: Policy = "allow"
    """For an origin of which the snapshot has nothing."""

    on_unreachable: Policy = "deny"
    """For an origin that gave no answer: 5xx, 408, 425, 429, network failure, a redirect out of the snapshot."""

    on_forbidden: Policy = "allow"
    """For an origin that shows its robots.txt to nobody (401, 403). RFC 9309 section 2.3.1.3 and Apertus: `allow`."""

    on_unparsable: Policy = "deny"
    """For an origin whose answer is no robots.txt at all: HTML, lost bytes, rules beyond any reasonable cost. For an
    origin that is missing in a snapshot which has lost bytes, too, since its answer may have been among them."""

    scheme_fallback: bool = True
    """Ask the other of http and https where an origin is missing. What is found may deny, it never permits."""

    www_fallback: bool = True
    """Ask with or without `www.` where an origin is missing. What is found may deny, it never permits."""

    @field_validator("as_of", mode="before")
    @classmethod
    def _valid_time(cls, value: object) -> str | None:
        # YAML makes a date of 2025-01-31.
        if value is None:
            return None
        if parse_time(value) is None or isinstance(value, int | float):
            raise ValueError(f"{value!r} is no ISO 8601 date or time")
        return value if isinstance(value, str) else str(value)


class OptOut:
    """Drops pages of owners who opted out; keeps the rule as evidence."""

    name: ClassVar[str] = "optout"
    version: ClassVar[int] = 2
    libraries: ClassVar[tuple[str, ...]] = ("robotexclusionrulesparser", "idna")
    Config: ClassVar[type[StageConfig]] = OptOutConfig
    reads: ClassVar[tuple[str, ...]] = ("url",)
    documents: ClassVar[pa.Schema] = schema.fields(schema.DOCUMENT, "origin_id")
    scores: ClassVar[pa.Schema] = pa.schema([])
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason("robots-disallow"),
        Reason("robots-unreachable"),
        Reason("robots-unparsable"),
        Reason("robots-missing"),
        Reason("no-origin", "error"),
        Reason("robots-lost"),
        Reason("robots-forbidden"),
    )

    @classmethod
    def check_config(cls, config: OptOutConfig) -> None:
        """Raises ValueError for an unknown or unreadable list of agents, before any work."""
        cls(config, StageContext())

    def __init__(self, config: OptOutConfig, context: StageContext) -> None:
        """Raises ValueError for an unknown or unreadable list of agents."""
        self.config = config
        self.context = context
        self.agents = load_file(config.agents_file) if config.agents_file else load_preset(config.agents)
        denied = {
            "unreachable": config.on_unreachable,
            "unparsable": config.on_unparsable,
            "forbidden": config.on_forbidden,
        }
        codes = {"unreachable": _UNREACHABLE, "unparsable": _UNPARSABLE, "forbidden": _FORBIDDEN}
        # By outcome: the reason for a drop, 0 for none.
        self._by_outcome = np.array([codes[o] if denied.get(o) == "deny" else 0 for o in OUTCOMES], np.uint8)

    def prepare(self, out: str) -> Mapping[str, int]:
        """Compile the snapshots into `out/robots.arrow` and `out/origins.parquet` (see `compile_snapshots`)."""
        as_of = parse_time(self.config.as_of, end_of_day=True)
        return compile_snapshots(self.config.snapshot, out, self.agents.names, self.config.reading, as_of)

    def open(self) -> None:
        """Map the compiled index. Raises ValueError if `prepare` made none."""
        if self.context.artefacts is None:
            raise ValueError("optout needs the folder that its prepare() filled")
        self._index = OriginIndex(str(Path(self.context.artefacts) / INDEX_FILE))
        self._missing = _MISSING if self.config.on_missing == "deny" else 0
        if self._index.lost and self.config.on_unparsable == "deny":
            self._missing = _LOST

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """Decide every page of a batch by its `url`; a fetched copy of the page is not needed."""
        places = [locate(url) if url is not None else None for url in batch.column("url").to_pylist()]
        numbers: dict[str, int] = {}
        which = np.array([numbers.setdefault(p.origin, len(numbers)) if p else -1 for p in places], np.int64)
        origins = list(numbers)
        rows = self._index.find(origins)
        known = which >= 0
        row = np.full(len(places), -1, np.int64)
        row[known] = rows[which[known]]

        reason = np.zeros(len(places), np.uint8)
        rule = np.full(len(places), -1, np.int64)
        where = row.copy()
        self._decide(places, np.flatnonzero(row >= 0), row, reason, rule)
        self._decide_missing(places, origins, rows, which, reason, rule, where)
        reason[~known] = _NO_ORIGIN

        ids = np.fromiter((origin_id(o) for o in origins), np.uint64, len(origins))
        column = np.zeros(len(places), np.uint64)
        column[known] = ids[which[known]]
        columns = {"origin_id": pa.array(column, pa.uint64(), mask=~known)}
        return Verdict(reason, columns, self._evidence(reason, rule, where))

    def _decide(
        self,
        places: list[Location | None],
        pages: NDArray[np.int64],
        row: NDArray[np.int64],
        reason: NDArray[np.uint8],
        rule: NDArray[np.int64],
    ) -> None:
        """Set reason and rule of the given pages from the origin row of each."""
        if not len(pages):
            return
        outcome = self._index.outcome[row[pages]]
        reason[pages] = self._by_outcome[outcome]
        ruled = pages[outcome == _RULES]
        if len(ruled):
            found = self._index.rules.denials(row[ruled], [p.target for i in ruled if (p := places[i]) is not None])
            rule[ruled] = found
            reason[ruled] = np.where(found >= 0, _DISALLOW, 0)
            if self.config.on_unparsable == "deny":
                reason[ruled[found == OVER_LIMIT]] = _UNPARSABLE

    def _decide_missing(
        self,
        places: list[Location | None],
        origins: list[str],
        rows: NDArray[np.int64],
        which: NDArray[np.int64],
        reason: NDArray[np.uint8],
        rule: NDArray[np.int64],
        where: NDArray[np.int64],
    ) -> None:
        """Ask the relatives of origins that the snapshot lacks: the first that it has may deny."""
        missing = np.flatnonzero(rows < 0)
        if not len(missing):
            return
        kinds = {"scheme": self.config.scheme_fallback, "www": self.config.www_fallback}
        others = {int(i): relatives(origins[i], **kinds) for i in missing}
        found = np.full(len(origins) + 1, -1, np.int64)  # The last entry is for pages without an origin.
        for turn in range(max(map(len, others.values()))):
            asked = [i for i, names in others.items() if len(names) > turn and found[i] < 0]
            found[asked] = self._index.find([others[i][turn] for i in asked])
        row = found[which]
        pages = np.flatnonzero(row >= 0)
        self._decide(places, pages, row, reason, rule)
        where[pages] = row[pages]
        reason[np.isin(which, missing) & (reason == 0)] = self._missing

    def _evidence(
        self, reason: NDArray[np.uint8], rule: NDArray[np.int64], where: NDArray[np.int64]
    ) -> pa.StructArray | None:
        disallowed = reason == _DISALLOW
        unread = np.isin(reason, (_UNREACHABLE, _UNPARSABLE, _FORBIDDEN))
        proven = disallowed | unread
        if not proven.any():
            return None
        # A row is taken from the rules or from the statuses; what it has in neither is null.
        agent, line, text = self._index.rules.evidence(pa.array(rule, mask=~disallowed))
        status = pc.binary_join_element_wise(
            "HTTP status",
            pc.fill_null(self._index.status(pa.array(where, mask=~unread)).cast(pa.string()), "unknown"),
            " ",
        )
        return pa.StructArray.from_arrays(
            [
                agent,
                pa.array(np.where(proven, SIGNAL, ""), pa.string(), mask=~proven),
                line,
                pc.if_else(pa.array(unread), status, text),
            ],
            fields=list(schema.RULE),
            mask=pa.array(~proven),
        )
