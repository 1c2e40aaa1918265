"""A newer robots.txt snapshot on an old corpus, through the real stages.

Pages that are newly allowed are extracted, and no others; copies of pages that are newly forbidden go with them.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from rich.console import Console

from lauter.pipeline.audit import audit
from lauter.pipeline.build import BuildOptions, BuildOutcome, build_corpus
from lauter.pipeline.contract import Verdict
from lauter.pipeline.resolve import load
from lauter.pipeline.storage import Storage
from lauter.stages.catalogue import CATALOGUE
from lauter.stages.extract.stage import Extract
from quickstart.build_web import build as build_web

pytestmark = pytest.mark.slow

FOLDERS = ("documents", "scores", "decisions", "signals", "ledger", "tokens")


def _build(manifest: Path, out: Path) -> BuildOutcome:
    options = BuildOptions(str(out), "inline", 1, None)
    outcome = build_corpus(load(str(manifest), CATALOGUE), options, Console(file=io.StringIO()))
    assert outcome.report.failures == []
    return outcome


def _manifest(folder: Path, web: Path) -> Path:
    data = {
        "name": "newer",
        "sources": [{"name": "web", "kind": "warc", "paths": [f"{web}/web-*.warc", f"{web}/web-*.warc.gz"]}],
        "stages": [
            {"optout": {"snapshot": ["robots.jsonl"], "mirrors": "drop"}},
            {"extract": {"backend": "resiliparse"}},
            "normalise",
            "language",
            "dedup",
        ],
    }
    path = folder / "manifest.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def _snapshot(folder: Path, hosts: list[str], forbidden: set[str], fetched: str) -> None:
    rows = [
        {
            "url": f"https://{host}/robots.txt",
            "status": 200,
            "fetched_at": fetched,
            "body": f"User-agent: *\n{'Disallow: /' if host in forbidden else 'Allow: /'}\n",
        }
        for host in hosts
    ]
    (folder / "robots.jsonl").write_text("\n".join(json.dumps(row) for row in rows))


def _digests(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in FOLDERS
        for path in sorted((out / folder).rglob("*.parquet"))
    }


def _ledger(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for path in sorted((out / "ledger").rglob("*.parquet")):
        rows += pq.read_table(path).to_pylist()
    return rows


def _pair(rows: list[dict[str, Any]]) -> tuple[str, str]:
    """Hosts of a page and of its copy elsewhere."""
    hosts = {row["doc_id"]: urlsplit(row["url"] or "").hostname for row in rows if row["reason"] != "same-record"}
    pairs = [(hosts[row["duplicate_of"]], hosts[row["doc_id"]]) for row in rows if row["stage"] == "dedup"]
    return next((one, other) for one, other in pairs if one and other and one != other)


def test_pages_that_are_newly_allowed_are_extracted_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    apply = Extract.apply

    def counted(self: Extract, batch: pa.RecordBatch) -> Verdict:
        seen.extend(batch.column("url").to_pylist())
        return apply(self, batch)

    monkeypatch.setattr(Extract, "apply", counted)
    build_web(tmp_path / "web")
    manifest = _manifest(tmp_path, tmp_path / "web")
    _snapshot(tmp_path, ["nowhere.example"], set(), "2024-01-01T00:00:00Z")
    _build(manifest, tmp_path / "all")
    # A repeated record ends as such whatever it passed.
    ends = [(row["url"], row["stage"] if row["reason"] != "same-record" else None) for row in _ledger(tmp_path / "all")]
    passed = [url for url, stage in ends if stage not in ("read", "optout")]
    hosts = sorted({urlsplit(url).hostname or "" for url in passed})
    reserved, copy = _pair(_ledger(tmp_path / "all"))
    before, after = set(hosts[::3]) - {reserved}, set(hosts[1::3]) | {hosts[0], reserved}
    after.discard(copy)
    _snapshot(tmp_path, hosts, before, "2024-01-01T00:00:00Z")
    _build(manifest, tmp_path / "out")
    _snapshot(tmp_path, hosts, after, "2025-01-01T00:00:00Z")
    seen.clear()
    outcome = _build(manifest, tmp_path / "out")
    fresh = [url for url in passed if (urlsplit(url).hostname or "") in before - after]
    # Extraction sees the newly allowed ones, and what `mirrors` has not signed yet.
    info = [json.loads(p.read_text())["info"] for p in sorted((tmp_path / "out/state/mirrors").rglob("*.json"))]
    assert len(fresh) > 10
    assert outcome.report.recomputed == len(fresh)
    assert outcome.report.reused == sum((urlsplit(url).hostname or "") not in before | after for url in passed)
    assert len(seen) == len(fresh) + sum(item["fresh"] for item in info)
    _build(manifest, tmp_path / "fresh")
    assert _digests(tmp_path / "out") == _digests(tmp_path / "fresh")
    copies = [row for row in _ledger(tmp_path / "out") if row["reason"] == "mirror-of-opted-out"]
    by_id = {row["doc_id"]: row for row in _ledger(tmp_path / "out")}
    assert copies and all(by_id[row["duplicate_of"]]["stage"] == "optout" for row in copies)
    assert {row["rule"]["text"] for row in copies} <= set(passed)
    assert audit(Storage(str(tmp_path / "out")), CATALOGUE).violations == []
