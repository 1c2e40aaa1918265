"""The numbers of a corpus, all of them group-bys over the ledger; text is never read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lauter.pipeline import parquet
from lauter.pipeline.report.evidence import TOP, Evidence, first, moment
from lauter.pipeline.report.hosts import each, host
from lauter.pipeline.storage import Storage

HOSTS_HELD = 200_000
"""Distinct hosts counted at most; past that the rarest are let go, so that memory is bounded."""

UNPLACED = "takedown (not kept)"
"""The stage in whose name removed records are counted that had no place in a shard: how they had ended is forgotten."""

GROUPS = ["source", "verdict", "stage", "reason", "language"]
_SUMS = [("tokens", "sum"), ("chars", "sum"), ("fetched_at", "min"), ("fetched_at", "max"), ([], "count_all")]


@dataclass
class _Group:
    """Rows of equal source, verdict, stage, reason and language."""

    records: int = 0
    tokens: int = 0
    chars: int = 0
    start: datetime | None = None
    end: datetime | None = None

    def add(self, records: int, tokens: int, chars: int, start: datetime | None, end: datetime | None) -> None:
        """Add counts and widen the time."""
        self.records, self.tokens, self.chars = self.records + records, self.tokens + tokens, self.chars + chars
        self.start = min((time for time in (self.start, start) if time is not None), default=None)
        self.end = max((time for time in (self.end, end) if time is not None), default=None)


Key = tuple[str | None, ...]


def summarise(storage: Storage, ledger: Iterable[str]) -> dict[str, Any]:
    """Counts by verdict, reason, language, source, host, signal and agent, from the ledger parts.

    `hosts` are those of kept records, `dropped_hosts` those of all others, and `ruled_hosts`, by stage, those of
    records that a rule ended; each list is cut to its `TOP` first. `evidence` is what `Evidence.data` says. In
    `reasons`, removed records that had no place in a shard are of the stage `UNPLACED`.
    """
    groups: dict[Key, _Group] = {}
    hosts: Counter[str] = Counter()
    dropped_hosts: Counter[str] = Counter()
    ruled_hosts: Counter[tuple[str, str]] = Counter()
    evidence = Evidence()
    columns = list(dict.fromkeys([*GROUPS, "tokens", "chars", "fetched_at", "url", "shard", *Evidence.columns]))
    for path in ledger:
        for batch in parquet.batches(storage, path, columns):
            table = pa.Table.from_batches([batch])
            plain = pa.table(
                {name: table.column(name).cast(pa.string()) for name in GROUPS}
                | {name: table.column(name) for name in ("tokens", "chars", "fetched_at")}
            )
            unplaced = pc.and_(pc.equal(plain.column("verdict"), "removed"), pc.is_null(table.column("shard")))
            stage = pc.if_else(unplaced, UNPLACED, plain.column("stage"))
            plain = plain.set_column(plain.schema.get_field_index("stage"), "stage", stage)
            for row in plain.group_by(GROUPS).aggregate(_SUMS).to_pylist():
                group = groups.setdefault(tuple(row[name] for name in GROUPS), _Group())
                # What was removed keeps its place in the shards as padding, and is no text of the corpus.
                sums = (row["tokens_sum"] or 0) if row["verdict"] == "kept" else 0, row["chars_sum"] or 0
                group.add(row["count_all"], *sums, row["fetched_at_min"], row["fetched_at_max"])
            evidence.add(table)
            names = each(table.column("url"), host)
            kept = pc.equal(plain.column("verdict"), "kept").combine_chunks()
            ruled = pc.and_(pc.is_valid(table.column("rule")), pc.invert(kept)).combine_chunks()
            _count(hosts, names.filter(kept))
            _count(dropped_hosts, names.filter(pc.invert(kept)))
            _count_ruled(ruled_hosts, plain.column("stage").combine_chunks().filter(ruled), names.filter(ruled))
    found = evidence.data()
    kept_groups = {key: group for key, group in groups.items() if key[1] == "kept"}
    return {
        "records": sum(group.records for group in groups.values()),
        "verdicts": _by(groups, 1),
        "sources": _table(groups, 0),
        "languages": _table(groups, 4),
        "reasons": _reasons(groups),
        "by_source": {name: _source(groups, name) for name in sorted({key[0] or "-" for key in groups})},
        "hosts": dict(first(hosts)),
        "dropped_hosts": dict(first(dropped_hosts)),
        "agents": found["agents"],
        "signals": found["signals"],
        "evidence": {name: found[name] for name in ("rules", "by_source", "basis")},
        "ruled_hosts": _by_stage(ruled_hosts),
        "tokens": sum(group.tokens for group in groups.values()),
        "chars": sum(group.chars for group in kept_groups.values()),
        "period": _period(kept_groups.values()),
    }


def _count(counter: Counter[str], names: pa.StringArray) -> None:
    for pair in names.drop_null().value_counts().to_pylist():
        counter[pair["values"]] += pair["counts"]
    _bound(counter)


def _count_ruled(counter: Counter[tuple[str, str]], stages: pa.StringArray, names: pa.StringArray) -> None:
    table = pa.table({"stage": stages, "host": names}).drop_null()
    for row in table.group_by(["stage", "host"]).aggregate([([], "count_all")]).to_pylist():
        counter[row["stage"], row["host"]] += row["count_all"]
    _bound(counter)


def _bound(counter: Counter[Any]) -> None:
    if len(counter) > HOSTS_HELD:
        for name, _ in counter.most_common()[HOSTS_HELD // 2 :]:
            del counter[name]


def _by_stage(counter: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = {}
    for (stage, name), count in counter.items():
        found.setdefault(stage, Counter())[name] = count
    return {stage: dict(first(hosts)) for stage, hosts in sorted(found.items())}


def _by(groups: Mapping[Key, _Group], index: int) -> dict[str, int]:
    found: Counter[str] = Counter()
    for key, group in groups.items():
        found[key[index] or "-"] += group.records
    return dict(sorted(found.items()))


def _table(groups: Mapping[Key, _Group], index: int) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for key, group in groups.items():
        row = found.setdefault(key[index] or "-", {"records": 0, "kept": 0, "tokens": 0, "chars": 0})
        row["records"] += group.records
        row["kept"] += group.records if key[1] == "kept" else 0
        row["tokens"] += group.tokens
        row["chars"] += group.chars if key[1] == "kept" else 0
    return dict(sorted(found.items(), key=lambda item: (-item[1]["tokens"], -item[1]["records"], item[0])))


def _period(groups: Iterable[_Group]) -> dict[str, str | None]:
    """When the records of some groups were fetched: first and last, null where no record says."""
    whole = _Group()
    for group in groups:
        whole.add(0, 0, 0, group.start, group.end)
    return {"first": moment(whole.start), "last": moment(whole.end)}


def _source(groups: Mapping[Key, _Group], name: str) -> dict[str, Any]:
    """What else there is to say of a source: the time of its kept records, their languages, and why others ended."""
    own = {key: group for key, group in groups.items() if (key[0] or "-") == name}
    kept = {key: group for key, group in own.items() if key[1] == "kept"}
    languages = _table(kept, 4)
    return {
        "period": _period(kept.values()),
        "languages": {code: languages[code]["tokens"] for code in list(languages)[:TOP]},
        "languages_kept": len(languages),
        "reasons": _reasons(own),
    }


def _reasons(groups: Mapping[Key, _Group]) -> list[dict[str, Any]]:
    found: Counter[tuple[str, str, str]] = Counter()
    for key, group in groups.items():
        if key[1] != "kept":
            found[key[2] or "-", key[3] or "-", key[1] or "-"] += group.records
    return [
        {"stage": stage, "reason": reason, "verdict": verdict, "records": count}
        for (stage, reason, verdict), count in sorted(found.items(), key=lambda item: (-item[1], item[0]))
    ]
