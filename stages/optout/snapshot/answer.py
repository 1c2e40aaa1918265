"""One archived answer to a request for a robots.txt, from the bytes of an HTTP response."""

from __future__ import annotations

import io
import re
import zlib
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import NamedTuple

_STATUS = re.compile(rb"HTTP/[0-9.]+ +([0-9]{3})(?![0-9])").match
_HEAD_END = re.compile(rb"\r?\n\r?\n").search


class Reference(NamedTuple):
    """What a revisit record says of the record that has its bytes; at least one is not None."""

    record_id: str | None
    origin: str | None
    fetched_at: int | None
    """Seconds since 1970, UTC."""


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
    record_id: str | None = None
    """Under which other records refer to this one."""
    refers_to: Reference | None = None
    """The answer that this one repeats: what it says is there, and unknown if it is not found."""


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
        value = value.replace(hour=23, minute=59, second=59)
    try:
        return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())
    except OverflowError:
        return None


def read_http(origin: str, block: bytes, fetched_at: int | None, *, truncated: bool, broken: bool) -> Fetched:
    """The answer in an HTTP response as it was stored, without its transfer and content codings."""
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
