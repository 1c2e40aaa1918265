"""Snapshots: every format yields the same answers, and broken bytes are counted."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import zlib
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastwarc.stream_io import BrotliWriter, Lz4Writer, ZstdWriter

from lauter.stages.optout.snapshot.answer import Fetched, Reference, parse_time
from lauter.stages.optout.snapshot.read import read_snapshot, snapshot_files

BODY = b"User-agent: *\nDisallow: /\n"
TIME = int(datetime(2025, 1, 31, 12, tzinfo=UTC).timestamp())
HEAD = "WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:{}>\r\nWARC-Date: 2025-01-31T12:00:00Z\r\n"


def record(url: str, http: bytes, extra: str = "") -> bytes:
    head = HEAD.format("00000000-0000-0000-0000-000000000000") + f"WARC-Target-URI: {url}\r\n{extra}"
    head += f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
    return head.encode() + http + b"\r\n\r\n"


def http(body: bytes = BODY, status: str = "200 OK", *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode() + body


def brotli(body: bytes) -> bytes:
    buffer = io.BytesIO()
    with BrotliWriter(buffer) as writer:
        writer.write(body)
    return buffer.getvalue()


def read(path: Path) -> tuple[list[Fetched], Counter[str]]:
    counts: Counter[str] = Counter()
    # Every record of these tests has the same id; test_revisit has its own.
    return [a._replace(record_id=None) for a in read_snapshot(str(path), counts)], +counts


@pytest.mark.parametrize("suffix", ["warc", "warc.gz"])
def test_warc(tmp_path: Path, suffix: str) -> None:
    records = [
        record("https://a.example/robots.txt", http()),
        record("https://a.example/ai.txt", http(b"", "404 Not Found")),
        record("<https://b.example/robots.txt>", http(b"", "301 Moved", "Location: https://a.example/robots.txt")),
        record("https://a.example/index.html", http(b"page")),
        record("dns:a.example", http(b"")),
        record("https://c.example/robots.txt", http(), "WARC-Truncated: length\r\n"),
    ]
    path = tmp_path / f"robots.{suffix}"
    path.write_bytes(b"".join(gzip.compress(r) if suffix.endswith("gz") else r for r in records))
    answers, counts = read(path)
    assert answers == [
        Fetched("https://a.example", 200, TIME, BODY),
        Fetched("https://a.example", 404, TIME, b"", kind="ai.txt"),
        Fetched("https://b.example", 301, TIME, b"", "https://a.example/robots.txt"),
        Fetched("https://c.example", 200, TIME, BODY, truncated=True),
    ]
    assert counts == {"records": 4, "not_robots": 2}


@pytest.mark.parametrize(
    ("block", "body"),
    [
        (http(gzip.compress(BODY, mtime=0), "200 OK", "Content-Encoding: gzip"), BODY),
        (http(zlib.compress(BODY), "200 OK", "content-encoding: deflate"), BODY),
        (http(zlib.compress(BODY, wbits=-15), "200 OK", "Content-Encoding: deflate"), BODY),
        (
            http(base64.b64decode("ixKAVXNlci1hZ2VudDogKgpEaXNhbGxvdzogLwoD")[0:0], "200 OK", "Content-Encoding: br"),
            b"",
        ),
        (http(BODY, "200 OK", "Content-Encoding: gzip"), BODY),
        (
            http(b"5\r\nUser-\r\n15\r\nagent: *\nDisallow: /\n\r\n0\r\n\r\n", "200 OK", "Transfer-Encoding: chunked"),
            BODY,
        ),
        (http(BODY, "200 OK", "Transfer-Encoding: chunked"), BODY),
        (http(gzip.compress(BODY, mtime=0)[:-9], "200 OK", "Content-Encoding: gzip"), None),
        (http(b"\xff\xfe\x00", "200 OK", "Content-Encoding: gzip"), None),
        (http(b"ff\r\nUser-", "200 OK", "Transfer-Encoding: chunked"), None),
        (b"no HTTP at all", None),
        (b"HTTP/1.1 200 OK\r\nno end", None),
    ],
)
def test_codings_and_damage(tmp_path: Path, block: bytes, body: bytes | None) -> None:
    path = tmp_path / "robots.warc.gz"
    path.write_bytes(gzip.compress(record("https://a.example/robots.txt", block)))
    (answer,), counts = read(path)
    assert answer.broken == (body is None)
    assert counts["broken"] == (body is None)
    assert answer.body == (body or b"")


def test_a_corrupt_member_costs_itself_alone(tmp_path: Path) -> None:
    members = [bytearray(gzip.compress(record(f"https://h{i}.example/robots.txt", http()))) for i in range(9)]
    for i in range(len(members[4])):
        members[4][i] ^= 0x55
    path = tmp_path / "robots.warc.gz"
    path.write_bytes(b"".join(members))
    answers, counts = read(path)
    assert [a.origin for a in answers] == [f"https://h{i}.example" for i in range(9) if i != 4]
    assert counts["broken"] == 0
    assert counts["lost"] >= 1


def test_a_file_that_ends_early_is_broken(tmp_path: Path) -> None:
    whole = record("https://a.example/robots.txt", http(b"User-agent: *\n" + b"Allow: /x\n" * 500 + b"Disallow: /\n"))
    path = tmp_path / "robots.warc"
    path.write_bytes(whole[:-2000])
    (answer,), counts = read(path)
    assert answer.broken
    assert counts["broken"] == 1


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


def test_unreadable_inputs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.warc"):
        read(tmp_path / "robots.txt")
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="domain"):
        read(tmp_path / "a.parquet")
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.warc.gz")


def test_times() -> None:
    day = int(datetime(2025, 1, 31, tzinfo=UTC).timestamp())
    assert parse_time("2025-01-31") == day
    assert parse_time("2025-01-31", end_of_day=True) == day + 86399
    assert parse_time(date(2025, 1, 31), end_of_day=True) == day + 86399
    assert parse_time("2025-01-31T01:00:00+01:00", end_of_day=True) == day
    assert parse_time(datetime(2025, 1, 31)) == day
    assert parse_time(float(day)) == day
    nothing: list[object] = ["soon", None, True, [], 1e30, "9999-99-99"]
    assert [parse_time(value) for value in nothing] == [None] * 6


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


@pytest.mark.parametrize("change", ["Content-Length: 9", "Xontent-Length: "])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_wrong_length_swallows_no_record(*, tmp_path: Path, change: str, zipped: bool) -> None:
    records = [record(f"https://h{i}.example/robots.txt", http()) for i in range(5)]
    records[2] = records[2].replace(b"Content-Length: ", change.encode())
    path = tmp_path / "robots.warc"
    path.write_bytes(b"".join(gzip.compress(r) if zipped else r for r in records))
    answers, counts = read(path)
    assert [(a.origin, a.broken) for a in answers] == [(f"https://h{i}.example", i == 2) for i in range(5)]
    assert counts["lost"] >= 1


@pytest.mark.parametrize("at", range(10, 200, 10))
def test_damage_anywhere_in_a_member_shows(tmp_path: Path, at: int) -> None:
    members = [bytearray(gzip.compress(record(f"https://h{i}.example/robots.txt", http()))) for i in range(3)]
    members[1][at] ^= 0xFF
    path = tmp_path / "robots.warc.gz"
    path.write_bytes(b"".join(members))
    answers, counts = read(path)
    assert counts["lost"] >= 1
    assert {a.origin for a in answers if not a.broken} == {"https://h0.example", "https://h2.example"}


def test_records_may_run_over_members(tmp_path: Path) -> None:
    whole = b"".join(record(f"https://h{i}.example/robots.txt", http()) for i in range(9))
    path = tmp_path / "robots.warc.gz"
    path.write_bytes(b"".join(gzip.compress(whole[i : i + 100]) for i in range(0, len(whole), 100)))
    answers, counts = read(path)
    assert len(answers) == 9
    assert counts == {"records": 9}


def test_resource_and_revisit(tmp_path: Path) -> None:
    url = "https://a.example/robots.txt"
    resource = record(url, BODY).replace(b"WARC-Type: response", b"WARC-Type: resource")
    revisit = record(url, b"", "WARC-Refers-To-Date: 2024-01-01T00:00:00Z\r\n").replace(b"response", b"revisit", 1)
    other = record(url, b"").replace(b"response", b"conversion", 1)
    path = tmp_path / "robots.warc"
    path.write_bytes(resource + revisit + other)
    answers, counts = read(path)
    assert answers == [
        Fetched("https://a.example", None, TIME, BODY),
        Fetched("https://a.example", None, TIME, None, refers_to=Reference(None, None, 1704067200)),
    ]
    assert counts == {"records": 2, "other_records": 1}


@pytest.mark.parametrize("zstd", [True, False])
def test_other_compressions_show_a_cut(*, tmp_path: Path, zstd: bool) -> None:
    data = b"".join(
        record(f"https://h{i}.example/robots.txt", http(os.urandom(500).hex().encode())) for i in range(200)
    )
    buffer = io.BytesIO()
    with (ZstdWriter if zstd else Lz4Writer)(buffer) as writer:
        writer.write(data)
    path = tmp_path / ("robots.warc.zst" if zstd else "robots.warc.lz4")
    path.write_bytes(buffer.getvalue())
    answers, counts = read(path)
    assert len(answers) == 200
    assert counts["lost"] == 0
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2 - 50])
    answers, counts = read(path)
    assert len(answers) < 200
    assert counts["lost"] >= 1


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
