"""Answers in rows of Parquet and JSON lines."""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lauter.stages.optout.snapshot.answer import Fetched
from lauter.stages.optout.snapshot.read import read_snapshot
from tests.stages.optout.snapshot.archived import BODY, TIME, read


def test_rows(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"origin": "https://a.example", "status": 200, "fetched_at": "2025-01-31T12:00:00Z", "body": BODY.decode()},
        {
            "robots_url": "http://b.example:8080/robots.txt",
            "origin": "mirror@1:path",
            "http_status": "404",
            "fetched": TIME,
        },
        {
            "domain": "C.example",
            "status": None,
            "fetched_at": "2025-01-31",
            "body_b64": base64.b64encode(b"\xff").decode(),
        },
        {"domain": "d.example", "error": "timed out"},
        {"domain": "e.example", "body_b64": "%%%"},
        {"domain": "f.example", "status": 301, "location": "https://a.example/robots.txt"},
        {"domain": "not a host"},
        {"status": 200},
    ]
    path = tmp_path / "robots.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode() + b"\n{broken\n[]\n"))
    answers, counts = read(path)
    assert answers == [
        Fetched("https://a.example", 200, TIME, BODY),
        Fetched("http://b.example:8080", 404, TIME, None),
        Fetched("https://c.example", None, TIME - 12 * 3600, b"\xff"),
        Fetched("https://d.example", None, None, None),
        Fetched("https://e.example", None, None, b"", broken=True),
        Fetched("https://f.example", 301, None, None, "https://a.example/robots.txt"),
    ]
    assert counts == {"records": 6, "no_origin": 2, "broken": 3, "undated": 3, "lost": 3}


def test_a_cut_gzip_keeps_what_can_be_read(tmp_path: Path) -> None:
    lines = b"".join(
        json.dumps({"domain": f"h{i}.example", "body": str(hash(i))}).encode() + b"\n" for i in range(2000)
    )
    path = tmp_path / "robots.jsonl.gz"
    path.write_bytes(gzip.compress(lines)[:-500])
    answers, counts = read(path)
    assert 0 < len(answers) < 2000
    assert counts["broken"] == 1
    assert counts["lost"] >= 1


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_parquet(tmp_path: Path, unit: str) -> None:
    path = tmp_path / "robots.parquet"
    table = pa.table(
        {
            "domain": pa.array(["a.example", "b.example"]),
            "content": pa.array([BODY, None], pa.binary()),
            "fetched_at": pa.array([TIME, None], pa.timestamp("s")).cast(pa.timestamp(unit)),
            "unrelated": pa.array([1, 2]),
        }
    )
    pq.write_table(table, path, version="2.6")
    answers, _ = read(path)
    assert answers == [Fetched("https://a.example", None, TIME, BODY), Fetched("https://b.example", None, None, None)]


@pytest.mark.parametrize(
    ("status", "number", "broken"),
    [
        (503.0, 503, False),
        ("503.0", 503, False),
        (" 503", 503, False),
        ("503 Service Unavailable", 503, False),
        ("HTTP/1.1 503 Busy", 503, False),
        (503.5, None, True),
        ("timeout", None, True),
        (True, None, True),
        ([], None, True),
        (99999999999, None, True),
        (-1, None, True),
        ("20000", None, True),
        (1e400, None, True),
    ],
)
def test_a_status_is_read_or_the_answer_is_broken(
    *, tmp_path: Path, status: object, number: int | None, broken: bool
) -> None:
    path = tmp_path / "robots.jsonl"
    path.write_text(json.dumps({"domain": "a.example", "status": status, "body": ""}) + "\n")
    (answer,), _ = read(path)
    assert (answer.status, answer.broken) == (number, broken)


def test_the_null_of_pandas_beside_no_bytes_is_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "robots.jsonl"
    path.write_text(
        '{"domain": "a.example", "status": NaN, "body": ""}\n{"domain": "b.example", "status": NaN, "body": "#"}\n'
    )
    answers, _ = read(path)
    assert [a.body for a in answers] == [None, b"#"]


def test_one_bad_row_costs_itself_alone(tmp_path: Path) -> None:
    good = json.dumps({"domain": "a.example", "body": "#"})
    bad = [
        '{"domain": "b.example", "status": 301, "location": "\\ud800"}',
        json.dumps({"origin": "https://b.example:" + "9" * 5000, "body": "#"}),
        "[" * 100_000,
        '{"domain": "b.example", "fetched_at": "2024-01-01", "body": "User-ag',
        json.dumps({"Origin": "https://b.example", "body": "#"}),
    ]
    path = tmp_path / "robots.jsonl"
    for line, lost in zip(bad, (0, 0, 1, 1, 1), strict=True):
        path.write_text(f"{line}\n{good}\n")
        answers, counts = read(path)
        assert answers[-1] == Fetched("https://a.example", None, None, b"#")
        assert counts["lost"] == lost
    path.write_text(bad[3])
    (answer,), _ = read(path)
    assert (answer.origin, answer.broken, answer.fetched_at) == ("https://b.example", True, 1704067200)


def test_parquet_values_that_have_no_python_type(tmp_path: Path) -> None:
    path = tmp_path / "robots.parquet"
    text = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff#")])
    table = pa.table({"domain": ["a.example"], "fetched_at": pa.array([10**17], pa.timestamp("us")), "body": text})
    pq.write_table(table, path)
    (answer,), _ = read(path)
    assert (answer.body, answer.fetched_at) == (b"\xff#", 10**11)


def test_rows_say_which_file_they_are(tmp_path: Path) -> None:
    rows = [
        ({"url": "https://a.example/ai.txt", "body": ""}, "ai.txt"),
        ({"robots_url": "https://a.example/.well-known/tdmrep.json", "status": 404}, "tdmrep.json"),
        ({"url": "https://a.example/l", "body": "<rsl/>"}, "rsl"),
        ({"url": "https://a.example/l", "body": "?", "content_type": "application/rsl+xml; charset=utf-8"}, "rsl"),
        ({"url": "https://a.example/l", "body": "?", "kind": "rsl"}, "rsl"),
        ({"url": "https://a.example/l.xml", "status": 404}, None),
        ({"url": "https://a.example/", "body": "<rsl/>"}, "robots.txt"),
        ({"domain": "a.example", "body": ""}, "robots.txt"),
        ({"url": "https://a.example/any", "body": ""}, "robots.txt"),
    ]
    for row, kind in rows:
        path = tmp_path / "in.jsonl"
        path.write_text(json.dumps(row) + "\n")
        counts: Counter[str] = Counter()
        assert [answer.kind for answer in read_snapshot(str(path), counts)] == ([kind] if kind else [])
        assert counts["not_robots"] == (kind is None)
