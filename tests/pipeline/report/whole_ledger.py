"""The numbers of a corpus the plain way: the whole ledger as Python dictionaries, one loop after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow.parquet as pq

from lauter.pipeline.report.evidence import TOP, TOP_RULES
from lauter.pipeline.report.hosts import Domains
from lauter.pipeline.report.tallies import UNPLACED

Row = Mapping[str, Any]


def rows_of(out: Path, paths: Iterable[str]) -> list[dict[str, Any]]:
    """All rows of some ledger parts."""
    return [row for path in paths for row in pq.ParquetFile(out / path).read().to_pylist()]


def plain_summary(rows: Sequence[Row]) -> dict[str, Any]:
    """What corpus.json has as `summary`."""
    kept = [row for row in rows if row["verdict"] == "kept"]
    ended = [row for row in rows if row["verdict"] != "kept"]
    ruled = [row for row in ended if row["rule"] is not None]
    by_stage: dict[str, list[Row]] = {}
    for row in ruled:
        if _stage(row) is not None:
            by_stage.setdefault(_stage(row), []).append(row)
    rules = Counter(
        (r["stage"] or "-", r["reason"] or "-", r["rule"]["signal"] or "-", r["rule"]["agent"] or "-") for r in ruled
    )
    return {
        "records": len(rows),
        "verdicts": dict(Counter(row["verdict"] for row in rows)),
        "sources": _table(rows, "source"),
        "languages": _table(rows, "language"),
        "reasons": _reasons(ended),
        "by_source": {
            name: _source([row for row in rows if row["source"] == name]) for name in {row["source"] for row in rows}
        },
        "hosts": _hosts(kept),
        "dropped_hosts": _hosts(ended),
        "ruled_hosts": {stage: hosts for stage, some in by_stage.items() if (hosts := _hosts(some))},
        "agents": dict(_first(Counter(r["rule"]["agent"] for r in ruled if r["rule"]["agent"] is not None))),
        "signals": dict(_first(Counter(row["rule"]["signal"] or "-" for row in ruled))),
        "evidence": {
            "rules": [
                dict(zip(("stage", "reason", "signal", "agent", "records"), (*key, count), strict=True))
                for key, count in _first(rules, TOP_RULES)
            ],
            "by_source": {
                name: [
                    dict(zip(("stage", "reason", "signal", "records"), (*key, count), strict=True))
                    for key, count in _first(
                        Counter(
                            (r["stage"] or "-", r["reason"] or "-", r["rule"]["signal"] or "-")
                            for r in ruled
                            if r["source"] == name
                        )
                    )
                ]
                for name in {row["source"] for row in ruled}
            },
            "basis": _basis(rows),
        },
        "tokens": sum(row["tokens"] or 0 for row in kept),
        "chars": sum(row["chars"] or 0 for row in kept),
        "period": _period(kept),
    }


def plain_domains(rows: Sequence[Row], crawled: Collection[str]) -> dict[str, tuple[int, int, int]]:
    """Domain -> kept records, tokens and characters of some sources."""
    domains, found = Domains(), dict[str, tuple[int, int, int]]()
    for row in rows:
        name = domains.of_url(row["url"]) if row["url"] is not None else None
        if row["verdict"] == "kept" and row["source"] in crawled and name is not None:
            records, tokens, chars = found.get(name, (0, 0, 0))
            found[name] = records + 1, tokens + (row["tokens"] or 0), chars + (row["chars"] or 0)
    return found


def _stage(row: Row) -> Any:  # noqa: ANN401 - a text or None
    return UNPLACED if row["verdict"] == "removed" and row["shard"] is None else row["stage"]


def _host(row: Row) -> str | None:
    try:
        return urlsplit(row["url"]).hostname or None if row["url"] is not None else None
    except ValueError:
        return None


def _hosts(rows: Sequence[Row]) -> dict[str, int]:
    return dict(_first(Counter(name for row in rows if (name := _host(row)) is not None)))


def _first(counts: Counter[Any], length: int = TOP) -> list[tuple[Any, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:length]


def _table(rows: Sequence[Row], column: str) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        own = found.setdefault(row[column] or "-", {"records": 0, "kept": 0, "tokens": 0, "chars": 0})
        own["records"] += 1
        if row["verdict"] == "kept":
            own["kept"] += 1
            own["tokens"] += row["tokens"] or 0
            own["chars"] += row["chars"] or 0
    return found


def _reasons(ended: Sequence[Row]) -> list[dict[str, Any]]:
    counts = Counter((_stage(row) or "-", row["reason"] or "-", row["verdict"]) for row in ended)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [
        {"stage": stage, "reason": reason, "verdict": verdict, "records": count}
        for (stage, reason, verdict), count in ordered
    ]


def _moment(time: datetime | None) -> str | None:
    return None if time is None else time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _period(rows: Sequence[Row]) -> dict[str, str | None]:
    times = [row["fetched_at"] for row in rows if row["fetched_at"] is not None]
    return {"first": _moment(min(times, default=None)), "last": _moment(max(times, default=None))}


def _source(rows: Sequence[Row]) -> dict[str, Any]:
    kept = [row for row in rows if row["verdict"] == "kept"]
    languages = _table(kept, "language")
    ordered = sorted(languages, key=lambda name: (-languages[name]["tokens"], -languages[name]["records"], name))
    return {
        "period": _period(kept),
        "languages": {name: languages[name]["tokens"] for name in ordered[:TOP]},
        "languages_kept": len(languages),
        "reasons": _reasons([row for row in rows if row["verdict"] != "kept"]),
    }


def _basis(rows: Sequence[Row]) -> dict[str, Any]:
    known = [(row["basis"], row["verdict"] == "kept") for row in rows if row["basis"] is not None]
    times = [basis["fetched_at"] for basis, _ in known if basis["fetched_at"] is not None]
    totals = Counter((basis["outcome"] or "-", kept) for basis, kept in known)
    outcomes = Counter((basis["outcome"], basis["via"], kept) for basis, kept in known)
    return {
        "first": _moment(min(times, default=None)),
        "last": _moment(max(times, default=None)),
        "totals": [
            {"outcome": outcome, "kept": kept, "records": count} for (outcome, kept), count in _first(totals, TOP_RULES)
        ],
        "outcomes": [
            {"outcome": outcome or "-", "via": via or "-", "kept": kept, "records": count}
            for (outcome, via, kept), count in sorted(outcomes.items(), key=lambda item: (-item[1], str(item[0])))[:TOP]
        ],
    }
