"""Answers in WARC files, and broken bytes of them, which are counted."""

from __future__ import annotations

import base64
import gzip
import io
import os
import zlib
from pathlib import Path

import pytest
from fastwarc.stream_io import Lz4Writer, ZstdWriter

from lauter.stages.optout.snapshot.answer import Fetched, Reference
from tests.stages.optout.snapshot.archived import BODY, TIME, http, read, record


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
