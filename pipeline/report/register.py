"""The data register: of each source what it is, under which terms, what went in, what was kept, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lauter.pipeline import parquet
from lauter.pipeline.storage import Storage

ABOUT = ("title", "url", "version", "licence", "category", "description", "crawler", "collected")
PII = "pii_types"


def data_sources(corpus: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The sources by name: declared fields (None where they are not), and measured ones."""
    summary = corpus["summary"]
    found = []
    for name, source in sorted(corpus["sources"].items()):
        counts = summary["sources"].get(name, {"records": 0, "kept": 0, "tokens": 0, "chars": 0})
        more = summary["by_source"].get(name, {"period": {"first": None, "last": None}, "languages": {}, "reasons": []})
        found.append(
            {
                "name": name,
                "kind": source["kind"],
                **{key: source["about"].get(key) for key in ABOUT},
                "records": counts["records"],
                "kept": counts["kept"],
                "tokens": counts["tokens"],
                "characters": counts["chars"],
                "period": more["period"],
                "languages": more["languages"],
                "languages_kept": more.get("languages_kept", 0),
                "reasons": more["reasons"],
            }
        )
    return found


def period(times: Mapping[str, str | None]) -> str | None:
    """A first and a last time as one text, None where there is none."""
    return f"{times['first']} to {times['last']}" if times["first"] else None


def data_register(corpus: Mapping[str, Any], pii: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """The register as plain data. `pii`: source -> type -> how often it was removed from its kept documents.

    `opted_out` counts the records that a stage which answers for reservations of rights (section 3.1 of the public
    summary) ended: by reason and, where a rule is the evidence, by its signal. `mirrors` are copies of opted-out pages
    found in the source, None where nobody looked.
    """
    stages = {item["stage"] for item in corpus["sections"] if "3.1" in item["answers"]}
    signals = corpus["summary"]["evidence"]["by_source"]
    mirrors: Mapping[str, int] | None = (corpus.get("mirrors") or {}).get("sources")
    rows = []
    for source in data_sources(corpus):
        name = source["name"]
        removed = pii.get(name)
        reasons = {row["reason"]: row["records"] for row in source.pop("reasons") if row["stage"] in stages}
        rows.append(
            {
                **source,
                "opted_out": {
                    "records": sum(reasons.values()),
                    "reasons": reasons,
                    "rules": [
                        {key: row[key] for key in ("reason", "signal", "records")}
                        for row in signals.get(name, ())
                        if row["stage"] in stages
                    ],
                },
                "pii_spans": None if removed is None else sum(removed.values()),
                "pii_types": None if removed is None else dict(sorted(removed.items())),
                "mirrors": None if mirrors is None else mirrors.get(name, 0),
                "missing": [f"sources.{name}.about.{key}" for key in ABOUT[:6] if source[key] is None],
            }
        )
    return {"corpus": corpus["name"], "lineage": corpus["lineage"], "sources": rows}


def pii_removed(storage: Storage, scores: str, ledger: str) -> Counter[str] | None:
    """Type of personal data -> how often it was removed from the kept documents of one part.

    None where its scores do not count them.
    """
    with storage.open(scores) as source:
        if PII not in pq.read_schema(source).names:
            return None
    verdict = parquet.read(storage, ledger, ["verdict"]).column("verdict")
    kept = np.asarray(pc.equal(pc.cast(verdict, "string"), "kept"))
    removed: Counter[str] = Counter()
    for batch in parquet.batches(storage, scores, ["row", PII]):
        types = pc.list_flatten(batch.column(PII).filter(pa.array(kept[batch.column("row").to_numpy()])))
        for kind, count in zip(*(types.field(name).to_pylist() for name in ("type", "count")), strict=True):
            removed[kind] += count
    return removed
