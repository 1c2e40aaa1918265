"""Small archives of robots.txt and kin, and what is read of them."""

from __future__ import annotations

import io
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from fastwarc.stream_io import BrotliWriter

from lauter.stages.optout.snapshot.answer import Fetched
from lauter.stages.optout.snapshot.read import read_snapshot

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
