"""Reads robots.txt snapshots: archived answers of many origins, from WARC, Parquet or JSON lines."""

from __future__ import annotations

import base64
import binascii
import gzip
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from lauter.stages.optout.origin import locate

_SUFFIX = re.compile(r"\.(warc|parquet|jsonl|ndjson)(?:\.(gz|zst|lz4|open))*$", re.IGNORECASE).search
_MAGIC = {b"\x1f\x8b": b"\x1f\x8b\x08", b"\x28\xb5": b"\x28\xb5\x2f\xfd", b"\x04\x22": b"\x04\x22\x4d\x18"}
_STATUS = re.compile(rb"HTTP/[0-9.]+ +([0-9]{3})(?![0-9])").match
_HEAD_END = re.compile(rb"\r?\n\r?\n").search
_ORIGIN = ("robots_url", "origin", "url", "domain")
_OTHER = ("status", "http_status", "fetched_at", "fetched", "body", "body_b64", "content", "location")


class Fetched(NamedTuple):
    """One answer to a request for a robots.txt."""

    origin: str
    """Normalised."""
    status: int | None
    """HTTP status; None where the source has none: no answer if there is no body either."""
    fetched_at: int | None
    """Seconds since 1970, UTC."""
    body: bytes | None
    location: str | None = None
    """Where a 3xx points, as written."""
    truncated: bool = False
    """The crawler kept only the beginning."""
    broken: bool = False
    """Bytes of the snapshot itself are missing or cannot be decoded: the body is not what the server said."""


def read_snapshot(path: str, counts: Counter[str]) -> Iterator[Fetched]:
    """Yield every answer in a snapshot file, in file order.

    Formats, by suffix: `.warc[.gz|.zst|.lz4]` (response records of a URL with the path /robots.txt); `.parquet` and
    `.jsonl[.gz]` with an origin (`robots_url`, `origin`, `url` or `domain`; a bare host is https), `status` or
    `http_status`, `fetched_at` or `fetched` (ISO 8601, timestamp, or seconds), `body` (`content`) as text or bytes or
    `body_b64`, and optionally `location`. Counted into `counts`: `records`, `not_robots` (other WARC responses),
    `no_origin` (rows that name none), `broken` (corrupt ranges, lines that are no JSON objects, bodies cut short),
    `undated`. Raises ValueError for another suffix or a Parquet file without an origin, OSError if it cannot be opened.
    """
    found = _SUFFIX(path)
    kind = found[1].lower() if found else ""
    if kind == "warc":
        answers = _warc(path, counts)
    elif kind == "parquet":
        answers = _rows(_parquet(path), counts)
    elif kind in ("jsonl", "ndjson"):
        answers = _rows(_lines(path, counts), counts)
    else:
        raise ValueError(f"{path}: a robots snapshot is .warc(.gz), .parquet or .jsonl(.gz)")
    for answer in answers:
        counts["records"] += 1
        counts["undated"] += answer.fetched_at is None
        counts["broken"] += answer.broken
        yield answer


def parse_time(value: object, *, end_of_day: bool = False) -> int | None:
    """Seconds since 1970 of an ISO 8601 string, a date, a datetime (naive = UTC) or a number; None for anything else.

    `end_of_day` makes a value without a time of day mean its last second.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return int(value) if abs(value) < 2**40 else None
    day = isinstance(value, str) and len(value.strip()) == 10
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    elif isinstance(value, date) and not isinstance(value, datetime):
        day = True
        value = datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime):
        return None
    if day and end_of_day:
        value += timedelta(days=1, seconds=-1)
    return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())


def _warc(path: str, counts: Counter[str]) -> Iterator[Fetched]:
    from fastwarc import ArchiveIterator, WarcRecordType

    with Path(path).open("rb") as stream:
        head = stream.read(2)
        magic = _MAGIC.get(head, b"WARC/1.")
        start: int | None = 0
        while start is not None:
            last = start
            stream.seek(start)
            start = None
            try:
                for record in ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=False):
                    last = record.stream_pos
                    # WARC 1.0 has the URL in angle brackets in its grammar, and some writers took it at its word.
                    where = locate((record.headers.get("WARC-Target-URI") or "").strip("<>"))
                    if where is None or where.target.partition("?")[0] != "/robots.txt":
                        counts["not_robots"] += 1
                    else:
                        declared = record.headers.get("Content-Length") or ""
                        # Reads the block as it is, so that a member cut short shows by its length.
                        record.freeze()
                        block = record.reader.read()
                        short = not declared.isdigit() or len(block) < int(declared)
                        yield _answer(
                            where.origin,
                            block,
                            parse_time(record.headers.get("WARC-Date") or ""),
                            truncated=record.headers.get("WARC-Truncated") is not None,
                            broken=short,
                        )
            except (OSError, ValueError, EOFError):
                counts["broken"] += 1
                start = _next(stream, magic, last + 1)


def _next(stream: BinaryIO, magic: bytes, start: int) -> int | None:
    """The offset of the next `magic` at or after `start`."""
    stream.seek(start)
    tail = b""
    while block := stream.read(1 << 20):
        at = (tail + block).find(magic)
        if at >= 0:
            return start - len(tail) + at
        start += len(block)
        tail = (tail + block)[-len(magic) + 1 :]
    return None


def _answer(origin: str, block: bytes, fetched_at: int | None, *, truncated: bool, broken: bool) -> Fetched:
    status = _STATUS(block)
    end = _HEAD_END(block)
    if status is None or end is None:
        return Fetched(origin, int(status[1]) if status else None, fetched_at, b"", broken=True)
    headers: dict[str, str] = {}
    for line in block[: end.start()].decode("latin-1").split("\n")[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    body: bytes | None = block[end.end() :]
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = _dechunked(body or b"")
    body = _decoded(body, headers.get("content-encoding", "").lower())
    return Fetched(
        origin,
        int(status[1]),
        fetched_at,
        body if body is not None else b"",
        headers.get("location"),
        truncated,
        broken or body is None,
    )


def _dechunked(body: bytes) -> bytes | None:
    if not re.match(rb"[0-9A-Fa-f]+[ \t]*(?:;[^\r\n]*)?\r\n", body):
        return body  # Stored without its chunks, as many crawlers do.
    out: list[bytes] = []
    at = 0
    while True:
        size = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n").match(body, at)
        if size is None:
            return None
        length = int(size[1], 16)
        if length == 0:
            return b"".join(out)
        if size.end() + length > len(body):
            return None
        out.append(body[size.end() : size.end() + length])
        at = size.end() + length + 2


def _decoded(body: bytes | None, encoding: str) -> bytes | None:
    """The body without its content coding; None if it cannot be decoded."""
    if not body or encoding in ("", "identity"):
        return body
    if encoding in ("gzip", "x-gzip", "deflate"):
        for bits in (47, -15):  # zlib or gzip by its header, or bare deflate, which some servers mean.
            inflate = zlib.decompressobj(bits)
            with suppress(zlib.error):
                data = inflate.decompress(body)
                return data if inflate.eof else None
    elif encoding == "br":
        from fastwarc.stream_io import BrotliReader

        with suppress(OSError):
            return BrotliReader(io.BytesIO(body)).read()
    # Crawlers often store the decoded body and leave the header: text is taken as it is.
    return body if body.isascii() else None


def _rows(rows: Iterator[Mapping[str, object] | None], counts: Counter[str]) -> Iterator[Fetched]:
    for row in rows:
        if row is None:
            counts["broken"] += 1
            continue
        origin = _row_origin(row)
        if origin is None:
            counts["no_origin"] += 1
            continue
        fetched_at = parse_time(_first(row, "fetched_at", "fetched"))
        status = _first(row, "status", "http_status")
        if isinstance(status, str) and status.strip().isdigit():
            status = int(status)
        if not isinstance(status, int) or isinstance(status, bool):
            status = None
        body = _first(row, "body", "content")
        broken = False
        if body is None and isinstance(coded := row.get("body_b64"), str):
            try:
                body = base64.b64decode(coded, validate=True)
            except (binascii.Error, ValueError):
                broken = True
        if isinstance(body, str):
            body = body.encode("utf-8", "surrogatepass")
        elif body is not None and not isinstance(body, bytes):
            broken = True
        location = row.get("location")
        yield Fetched(
            origin,
            status,
            fetched_at,
            b"" if broken else body if isinstance(body, bytes) else None,
            location if isinstance(location, str) else None,
            broken=broken,
        )


def _row_origin(row: Mapping[str, object]) -> str | None:
    for name in _ORIGIN:
        value = row.get(name)
        if isinstance(value, str) and ("://" in value or not set(value) & set("/?#@")):
            place = locate(value if "://" in value else f"https://{value}")
            if place:
                return place.origin
    return None


def _first(row: Mapping[str, object], *names: str) -> object:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _lines(path: str, counts: Counter[str]) -> Iterator[Mapping[str, object] | None]:
    opened: BinaryIO = gzip.open(path, "rb") if path.lower().endswith(".gz") else Path(path).open("rb")  # type: ignore[assignment]  # noqa: SIM115
    with opened as stream:
        while True:
            try:
                line = stream.readline()
            except (OSError, EOFError, zlib.error):
                counts["broken"] += 1  # The rest of the file cannot be read.
                return
            if not line:
                return
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            yield row if isinstance(row, dict) else None


def _parquet(path: str) -> Iterator[Mapping[str, object]]:
    file = pq.ParquetFile(path)
    columns = [name for name in _ORIGIN + _OTHER if name in file.schema_arrow.names]
    if not set(_ORIGIN) & set(columns):
        raise ValueError(f"{path}: none of the columns origin, robots_url, url, domain")
    for batch in file.iter_batches(1024, columns=columns):
        for i, field in enumerate(batch.schema):
            if pa.types.is_timestamp(field.type):
                # Nanoseconds have no Python type.
                seconds = batch.column(i).cast(pa.timestamp("s", field.type.tz), safe=False)
                batch = batch.set_column(i, field.name, seconds)
        yield from batch.to_pylist()
