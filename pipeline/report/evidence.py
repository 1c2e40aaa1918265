"""On what decisions rest, counted over the ledger: the rules that ended records, and what was known of origins."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

TOP = 50
"""Length of the lists of signals and agents, in all and by source."""

TOP_RULES = 200
"""Length of the list of rules."""

HELD = 10_000
"""Combinations of source, stage, reason, signal and agent held at most; past that the rarest are let go. Policies name
a few dozen signals and agents; a stage of somebody's own may name anything."""

_BY = ["source", "verdict", "stage", "reason", "signal", "agent"]


class Evidence:
    """Counts by rule and by basis. `add` takes a batch of the ledger with the columns of `columns`."""

    columns = ("source", "verdict", "stage", "reason", "rule", "basis")

    def __init__(self) -> None:
        self._rules: Counter[tuple[str | None, ...]] = Counter()
        self._outcomes: Counter[tuple[str | None, str | None, bool]] = Counter()
        self._first: datetime | None = None
        self._last: datetime | None = None

    def add(self, table: pa.Table) -> None:
        """Count a batch."""
        rule = table.column("rule")
        plain = {name: table.column(name).cast(pa.string()) for name in _BY[:4]}
        parts = {name: pc.struct_field(rule, name) for name in ("signal", "agent")}
        ruled = pa.table(plain | parts).filter(pc.is_valid(rule))
        for row in ruled.group_by(_BY, use_threads=False).aggregate([([], "count_all")]).to_pylist():
            self._rules[tuple(row[name] for name in _BY)] += row["count_all"]
        if len(self._rules) > HELD:
            for key, _ in self._rules.most_common()[HELD // 2 :]:
                del self._rules[key]
        self._add_basis(table.column("basis"), pc.equal(plain["verdict"], "kept"))

    def _add_basis(self, basis: pa.ChunkedArray, kept: pa.ChunkedArray) -> None:
        names = ["outcome", "via", "kept"]
        known = pa.table(
            {name: pc.struct_field(basis, name) for name in ("outcome", "via", "fetched_at")} | {"kept": kept}
        ).filter(pc.is_valid(basis))
        for row in known.group_by(names, use_threads=False).aggregate([([], "count_all")]).to_pylist():
            self._outcomes[row["outcome"], row["via"], row["kept"]] += row["count_all"]
        ends = pc.min_max(known.column("fetched_at")).as_py()
        self._first = min((t for t in (self._first, ends["min"]) if t is not None), default=None)
        self._last = max((t for t in (self._last, ends["max"]) if t is not None), default=None)

    def data(self) -> dict[str, Any]:
        """As plain data: `signals`, `agents`, `rules` and `by_source` of records that ended, and `basis` of all."""
        signals: Counter[str] = Counter()
        agents: Counter[str] = Counter()
        rules: Counter[tuple[str, ...]] = Counter()
        sources: dict[str, Counter[tuple[str, str, str]]] = {}
        totals: Counter[tuple[str, bool]] = Counter()
        for (outcome, _, kept), count in self._outcomes.items():
            totals[outcome or "-", kept] += count
        for (source, verdict, stage, reason, signal, agent), count in self._rules.items():
            if verdict == "kept":
                continue
            signals[signal or "-"] += count
            agents.update({agent: count} if agent is not None else {})
            rules[stage or "-", reason or "-", signal or "-", agent or "-"] += count
            sources.setdefault(source or "-", Counter())[stage or "-", reason or "-", signal or "-"] += count
        return {
            "signals": dict(first(signals)),
            "agents": dict(first(agents)),
            "rules": [
                {"stage": stage, "reason": reason, "signal": signal, "agent": agent, "records": count}
                for (stage, reason, signal, agent), count in first(rules, TOP_RULES)
            ],
            "by_source": {
                source: [
                    {"stage": stage, "reason": reason, "signal": signal, "records": n}
                    for (stage, reason, signal), n in first(counts)
                ]
                for source, counts in sorted(sources.items())
            },
            "basis": {
                "first": moment(self._first),
                "last": moment(self._last),
                # `outcomes` is cut, and `via` may be words of a manifest: sums are made of these.
                "totals": [
                    {"outcome": outcome, "kept": kept, "records": count}
                    for (outcome, kept), count in first(totals, TOP_RULES)
                ],
                "outcomes": [
                    {"outcome": outcome or "-", "via": via or "-", "kept": kept, "records": count}
                    for (outcome, via, kept), count in sorted(
                        self._outcomes.items(), key=lambda item: (-item[1], str(item[0]))
                    )[:TOP]
                ],
            },
        }


def first(counter: Counter[Any], length: int = TOP) -> list[tuple[Any, int]]:
    """Names and counts, largest first, equal ones by name, cut."""
    return sorted(counter.items(), key=lambda item: (-item[1], item[0]))[:length]


def moment(time: datetime | None) -> str | None:
    """A time in UTC as ISO 8601, to the second."""
    return None if time is None else time.strftime("%Y-%m-%dT%H:%M:%SZ")
