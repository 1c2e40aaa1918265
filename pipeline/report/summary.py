"""The numbers of a corpus, all of them group-bys over the ledger; text is never read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc

from lauter.pipeline import parquet
from lauter.pipeline.storage import Storage

TOP = 50
"""Length of the lists of hosts and agents."""

HOSTS_HELD = 200_000
"""Distinct hosts counted at most; past that the rarest are let go, so that memory is bounded."""

GROUPS = ["source", "verdict", "stage", "reason", "language"]


def summarise(storage: Storage, ledger: Iterable[str]) -> dict[str, Any]:
    """Counts by verdict, reason, language, source, host and opt-out agent, from the ledger parts.

    `hosts` are those of kept records, `dropped_hosts` those of all others, and `opted_out_hosts` those of records that
    a rule for one of `agents` ended; each list is cut to its `TOP` first.
    """
    groups: Counter[tuple[str | None, ...]] = Counter()
    tokens: Counter[tuple[str | None, ...]] = Counter()
    chars: Counter[tuple[str | None, ...]] = Counter()
    hosts: Counter[str] = Counter()
    dropped_hosts: Counter[str] = Counter()
    agents: Counter[str] = Counter()
    opted_out_hosts: Counter[str] = Counter()
    for path in ledger:
        for batch in parquet.batches(storage, path, [*GROUPS, "tokens", "chars", "url", "rule"]):
            table = pa.Table.from_batches([batch])
            plain = pa.table(
                {name: table.column(name).cast(pa.string()) for name in GROUPS}
                | {"tokens": table.column("tokens"), "chars": table.column("chars")}
            )
            grouped = plain.group_by(GROUPS).aggregate([("tokens", "sum"), ("chars", "sum"), ([], "count_all")])
            for row in grouped.to_pylist():
                key = tuple(row[name] for name in GROUPS)
                groups[key] += row["count_all"]
                tokens[key] += row["tokens_sum"] or 0
                chars[key] += row["chars_sum"] or 0
            kept = pc.equal(plain.column("verdict"), "kept")
            hosts.update(_hosts(table.column("url").filter(kept)))
            dropped_hosts.update(_hosts(table.column("url").filter(pc.invert(kept))))
            agent = pc.struct_field(table.column("rule"), "agent")
            agents.update(agent.drop_null().to_pylist())
            opted_out_hosts.update(_hosts(table.column("url").filter(pc.is_valid(agent))))
            for counter in (hosts, dropped_hosts, opted_out_hosts):
                if len(counter) > HOSTS_HELD:
                    for host, _ in counter.most_common()[HOSTS_HELD // 2 :]:
                        del counter[host]
    return {
        "records": sum(groups.values()),
        "verdicts": _by(groups, 1),
        "sources": _table(groups, tokens, chars, 0),
        "languages": _table(groups, tokens, chars, 4),
        "reasons": _reasons(groups),
        "hosts": _top(hosts),
        "dropped_hosts": _top(dropped_hosts),
        "agents": _top(agents),
        "opted_out_hosts": _top(opted_out_hosts),
        "tokens": sum(tokens.values()),
        "chars": sum(count for key, count in chars.items() if key[1] == "kept"),
    }


def _hosts(urls: pa.ChunkedArray) -> Iterable[str]:
    for url in urls.drop_null().to_pylist():
        try:
            host = urlsplit(url).hostname
        except ValueError:
            host = None
        if host:
            yield host


def _top(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0]))[:TOP])


def _by(groups: Counter[tuple[str | None, ...]], index: int) -> dict[str, int]:
    found: Counter[str] = Counter()
    for key, count in groups.items():
        found[key[index] or "-"] += count
    return dict(sorted(found.items()))


def _table(
    groups: Counter[tuple[str | None, ...]],
    tokens: Counter[tuple[str | None, ...]],
    chars: Counter[tuple[str | None, ...]],
    index: int,
) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for key, count in groups.items():
        row = found.setdefault(key[index] or "-", {"records": 0, "kept": 0, "tokens": 0, "chars": 0})
        row["records"] += count
        row["kept"] += count if key[1] == "kept" else 0
        row["tokens"] += tokens[key]
        row["chars"] += chars[key] if key[1] == "kept" else 0
    return dict(sorted(found.items(), key=lambda item: (-item[1]["tokens"], -item[1]["records"], item[0])))


def _reasons(groups: Counter[tuple[str | None, ...]]) -> list[dict[str, Any]]:
    found: Counter[tuple[str, str, str]] = Counter()
    for key, count in groups.items():
        if key[1] != "kept":
            found[(key[2] or "-", key[3] or "-", key[1] or "-")] += count
    return [
        {"stage": stage, "reason": reason, "verdict": verdict, "records": count}
        for (stage, reason, verdict), count in sorted(found.items(), key=lambda item: (-item[1], item[0]))
    ]
