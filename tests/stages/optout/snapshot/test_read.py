"""Snapshots: every format yields the same answers, and a file is known by its name or content."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lauter.stages.optout.snapshot.read import read_snapshot, snapshot_files
from tests.stages.optout.snapshot.archived import http, read, record


def test_unreadable_inputs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.warc"):
        read(tmp_path / "robots.txt")
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="domain"):
        read(tmp_path / "a.parquet")
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.warc.gz")


def test_other_files_of_an_origin(tmp_path: Path) -> None:
    rsl = b'<?xml version="1.0"?>\n<rsl xmlns="https://rslstandard.org/rsl"/>'
    records = [
        ("https://a.example/robots.txt", b"HTTP/1.1 200 OK\r\n\r\n#"),
        ("https://a.example/.well-known/tdmrep.json?v=1", b"HTTP/1.1 200 OK\r\n\r\n[]"),
        ("https://a.example/ai.txt", b"HTTP/1.1 404 Not Found\r\n\r\n"),
        ("https://A.example/terms.xml", b"HTTP/1.1 200 OK\r\nContent-Type: application/rsl+xml\r\n\r\n<x/>"),
        ("https://a.example/feed", b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n" + rsl),
        ("https://a.example/page", b"HTTP/1.1 200 OK\r\n\r\n<html>rsl</html>"),
    ]
    path = tmp_path / "crawl.warc"
    path.write_bytes(
        b"".join(
            b"WARC/1.1\r\nWARC-Type: response\r\n"
            + f"WARC-Target-URI: {url}\r\nContent-Length: {len(block)}\r\n\r\n".encode()
            + block
            + b"\r\n\r\n"
            for url, block in records
        )
    )
    counts: Counter[str] = Counter()
    found = [(answer.kind, answer.name) for answer in read_snapshot(str(path), counts)]
    assert found == [
        ("robots.txt", "https://a.example"),
        ("tdmrep.json", "https://a.example"),
        ("ai.txt", "https://a.example"),
        ("rsl", "https://a.example/terms.xml"),
        ("rsl", "https://a.example/feed"),
    ]
    assert counts["not_robots"] == 1


def test_a_folder_of_plain_files(tmp_path: Path) -> None:
    files = {
        "a.example.txt": ("https://a.example", "robots.txt"),
        "b.example/robots.txt": ("https://b.example", "robots.txt"),
        "b.example/ai.txt": ("https://b.example", "ai.txt"),
        "b.example/.well-known/tdmrep.json": ("https://b.example", "tdmrep.json"),
        "more/c.example:8080.txt": ("https://c.example:8080", "robots.txt"),
    }
    for name in [*files, "notes.txt", "robots/robots.txt", "README.md"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#")
    listed = snapshot_files(str(tmp_path))
    answers = [answer for path in listed for answer in read_snapshot(path, Counter())]
    assert sorted((a.origin, a.kind) for a in answers) == sorted(files.values())
    assert {(a.status, a.fetched_at, a.body) for a in answers} == {(None, None, b"#")}
    with pytest.raises(ValueError, match="no snapshot file"):
        snapshot_files(str(tmp_path / "robots"))
    with pytest.raises(OSError, match="nothing"):
        snapshot_files(str(tmp_path / "nothing"))


@pytest.mark.parametrize(
    ("status", "counted"), [("200 OK", 1), ("302 Found", 1), ("404 Not Found", 0), ("403 Forbidden", 0), ("503 No", 0)]
)
def test_a_name_with_a_query_that_is_not_there_says_nothing_of_the_file(
    tmp_path: Path, status: str, counted: int
) -> None:
    warc, rows = tmp_path / "a.warc", tmp_path / "a.jsonl"
    warc.write_bytes(record("https://a.example/robots.txt?lang=de", http(b"", status)))
    rows.write_text(json.dumps({"url": "https://a.example/robots.txt?lang=de", "status": int(status[:3]), "body": ""}))
    for path in (warc, rows):
        answers, counts = read(path)
        assert len(answers) == counted
        assert counts["not_robots"] == 1 - counted
