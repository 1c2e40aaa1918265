"""The numbers of a corpus, from tallies of its ledger (`tallies`); text is never read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lauter.pipeline.report.evidence import TOP, evidence_data, first, moment

GROUPS = ("source", "verdict", "stage", "reason", "name")
"""What the numbers are grouped by; the name is the language."""


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


def summary_of(tallies: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts by verdict, reason, language, source, host, signal and agent, from rows of the layout `TALLIES`.

    `hosts` are those of kept records, `dropped_hosts` those of all others, and `ruled_hosts`, by stage, those of
    records that a rule ended; each list is cut to its `TOP` first. `evidence` is what `evidence_data` says. In
    `reasons`, removed records that had no place in a shard are of the stage `tallies.UNPLACED`.
    """
    groups: dict[Key, _Group] = {}
    hosts: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    ruled_hosts: dict[str, Counter[str]] = {}
    evidence = []
    for row in tallies:
        kind, count = row["of"], row["records"]
        if kind == "group":
            group = groups.setdefault(tuple(row[name] for name in GROUPS), _Group())
            group.add(count, row["tokens"], row["chars"], row["first"], row["last"])
        elif kind == "host":
            hosts[row["verdict"] == "kept"][row["name"]] += count
        elif kind == "ruled-host":
            ruled_hosts.setdefault(row["stage"], Counter())[row["name"]] += count
        elif kind in ("rule", "basis"):
            evidence.append(row)
    found = evidence_data(evidence)
    kept_groups = {key: group for key, group in groups.items() if key[1] == "kept"}
    return {
        "records": sum(group.records for group in groups.values()),
        "verdicts": _by(groups, 1),
        "sources": _table(groups, 0),
        "languages": _table(groups, 4),
        "reasons": _reasons(groups),
        "by_source": {name: _source(groups, name) for name in sorted({key[0] or "-" for key in groups})},
        "hosts": dict(first(hosts[True])),
        "dropped_hosts": dict(first(hosts[False])),
        "agents": found["agents"],
        "signals": found["signals"],
        "evidence": {name: found[name] for name in ("rules", "by_source", "basis")},
        "ruled_hosts": {stage: dict(first(counts)) for stage, counts in sorted(ruled_hosts.items())},
        "tokens": sum(group.tokens for group in groups.values()),
        "chars": sum(group.chars for group in kept_groups.values()),
        "period": _period(kept_groups.values()),
    }


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
