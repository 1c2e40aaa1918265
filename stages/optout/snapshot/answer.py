"""One archived answer to a request for a robots.txt or its kin, from the bytes of an HTTP response."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Literal, NamedTuple

FileKind = Literal["robots.txt", "tdmrep.json", "ai.txt", "rsl"]
KINDS: tuple[FileKind, ...] = ("robots.txt", "tdmrep.json", "ai.txt", "rsl")
"""Files by which an owner speaks of a whole origin, in the order in which what they say is asked."""
WELL_KNOWN: Mapping[str, FileKind] = {
    "/robots.txt": "robots.txt",
    "/.well-known/tdmrep.json": "tdmrep.json",
    "/ai.txt": "ai.txt",
}
"""Where they lie (RFC 9309 section 2.3; TDMRep, W3C community group report of May 2024, section 5; Spawning's ai.txt).
An RSL document lies anywhere."""

_RSL_TYPE = "application/rsl+xml"
_RSL_ROOT = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}\?>\s*)?(?:<!--.{0,2000}?-->\s*)*<(?:[A-Za-z_][A-Za-z0-9_.-]*:)?rsl[\s/>]",
    re.DOTALL,
).match
_STATUS = re.compile(rb"HTTP/[0-9.]+ +([0-9]{3})(?![0-9])").match
_HEAD_END = re.compile(rb"\r?\n\r?\n").search


class Reference(NamedTuple):
    """What a revisit record says of the record that has its bytes; at least one is not None."""

    record_id: str | None
    origin: str | None
    fetched_at: int | None
    """Seconds since 1970, UTC."""


class Fetched(NamedTuple):
    """One answer to a request for a file of `KINDS`."""

    origin: str
    """Normalised; of an RSL document that of its own URL, whoever refers to it."""
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
    kind: FileKind = "robots.txt"
    url: str | None = None
    """Of an RSL document: where it lies, normalised origin and target as written."""

    @property
    def name(self) -> str:
        """What references point at: the origin, or the URL of an RSL document."""
        return self.url or self.origin


def well_known(target: str) -> FileKind | None:
    """The kind of file that lies at a path and query; None for any other page.

    >>> well_known("/robots.txt?x"), well_known("/about")
    ('robots.txt', None)
    """
    return WELL_KNOWN.get(target.partition("?")[0])


def is_silent(target: str, answer: Fetched) -> bool:
    """Whether an answer says nothing of a file: neither 2xx nor 3xx, and asked for with a query.

    That `/robots.txt?lang=de` is not there must not take the place of an older /robots.txt that is. A redirect to such
    a target is common, and so are answers with 2xx behind it: they are the file.
    """
    return (
        "?" in target and answer.refers_to is None and answer.status is not None and answer.status // 100 not in (2, 3)
    )


def is_rsl(media_type: str, body: bytes) -> bool:
    """Whether an answer is an RSL document: by its Content-Type, or by its root element.

    >>> is_rsl("text/xml", b'<?xml version="1.0"?><rsl xmlns="https://rslstandard.org/rsl"/>')
    True
    """
    return media_type.partition(";")[0].strip().lower() == _RSL_TYPE or _RSL_ROOT(body) is not None


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
    return read_response(origin, block, fetched_at, truncated=truncated, broken=broken)[0]


def read_response(
    origin: str, block: bytes, fetched_at: int | None, *, truncated: bool, broken: bool
) -> tuple[Fetched, str]:
    """The same, and the Content-Type (empty where there is none)."""
    status = _STATUS(block)
    end = _HEAD_END(block)
    if status is None or end is None:
        return Fetched(origin, int(status[1]) if status else None, fetched_at, b"", broken=True), ""
    headers: dict[str, str] = {}
    for line in block[: end.start()].decode("latin-1").split("\n")[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    body: bytes | None = block[end.end() :]
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = _dechunked(body or b"")
    body = _decoded(body, headers.get("content-encoding", "").lower())
    answer = Fetched(
        origin,
        int(status[1]),
        fetched_at,
        body if body is not None else b"",
        headers.get("location"),
        truncated,
        broken or body is None,
    )
    return answer, headers.get("content-type", "")


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
