"""On what decisions rest, from tallies of the ledger: the rules that ended records, what was known of origins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

TOP = 50
"""Length of the lists of signals and agents, in all and by source."""

TOP_RULES = 200
"""Length of the list of rules."""


def evidence_data(tallies: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """As plain data: `signals`, `agents`, `rules` and `by_source` of records that ended, and `basis` of all.

    `tallies` are rows of the layout `TALLIES`, of which `rule` and `basis` are taken.
    """
    signals: Counter[str] = Counter()
    agents: Counter[str] = Counter()
    rules: Counter[tuple[str, ...]] = Counter()
    sources: dict[str, Counter[tuple[str, str, str]]] = {}
    outcomes: Counter[tuple[str | None, str | None, bool]] = Counter()
    totals: Counter[tuple[str, bool]] = Counter()
    earliest: datetime | None = None
    latest: datetime | None = None
    for row in tallies:
        count, name, more = row["records"], row["name"], row["more"]
        if row["of"] == "basis":
            kept = row["verdict"] == "kept"
            outcomes[name, more, kept] += count
            totals[name or "-", kept] += count
            earliest = min((time for time in (earliest, row["first"]) if time is not None), default=None)
            latest = max((time for time in (latest, row["last"]) if time is not None), default=None)
        elif row["of"] == "rule":
            by = row["stage"] or "-", row["reason"] or "-", name or "-"
            signals[name or "-"] += count
            agents.update({more: count} if more is not None else {})
            rules[*by, more or "-"] += count
            sources.setdefault(row["source"] or "-", Counter())[by] += count
    # A part of a key may be null, which has no order.
    ranked = sorted(outcomes.items(), key=lambda item: (-item[1], str(item[0])))
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
            "first": moment(earliest),
            "last": moment(latest),
            # `outcomes` is cut, and `via` may be words of a manifest: sums are made of these.
            "totals": [
                {"outcome": outcome, "kept": kept, "records": count}
                for (outcome, kept), count in first(totals, TOP_RULES)
            ],
            "outcomes": [
                {"outcome": outcome or "-", "via": via or "-", "kept": kept, "records": count}
                for (outcome, via, kept), count in ranked[:TOP]
            ],
        },
    }


def first(counter: Counter[Any], length: int = TOP) -> list[tuple[Any, int]]:
    """Names and counts, largest first, equal ones by name, cut."""
    return sorted(counter.items(), key=lambda item: (-item[1], item[0]))[:length]


def moment(time: datetime | None) -> str | None:
    """A time in UTC as ISO 8601, to the second."""
    return None if time is None else time.strftime("%Y-%m-%dT%H:%M:%SZ")
