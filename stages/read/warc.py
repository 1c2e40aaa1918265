"""The WARC reader: HTML and text responses, resources and conversions, and a row for everything that is no record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, ClassVar

from pydantic import Field

from lauter.pipeline import identity
from lauter.pipeline.contract import FileCount, ReadBatch, Reason, StageConfig
from lauter.stages.read import http
from lauter.stages.read.glance import glance
from lauter.stages.read.records import BLANKS, RECORD_TYPES, Frame, frames
from lauter.stages.read.recount import count_warc
from lauter.stages.read.rows import Row, Rows, corrupt_row, escaped, seconds

REASONS = (
    Reason("corrupt-range", "error"),
    Reason("truncated", "error"),
    Reason("unsupported-format", "error"),
    Reason("record-too-large", "error"),
    Reason("payload-too-large", "error"),
    Reason("bad-http", "error"),
    Reason("bad-transfer-encoding", "error"),
    Reason("bad-content-encoding", "error"),
    Reason("http-status"),
    Reason("not-html"),
    Reason("no-text"),
)
"""Why a row of a WARC or WET file ends in the reader."""


class WarcConfig(StageConfig):
    """Parameters of the readers of WARC files."""

    max_record_bytes: int = Field(default=64 << 20, ge=1, le=1 << 31)
    """Bytes of a record's content, inflated, above which it becomes a row `record-too-large` without being read."""

    max_payload_bytes: int = Field(default=64 << 20, ge=1, le=1 << 31)
    """Bytes of a body after decompression above which it becomes a row `payload-too-large`."""

    statuses: tuple[int, ...] = Field(default=(200,), strict=False)
    """HTTP statuses to keep; the others become `http-status`."""

    media_types: tuple[str, ...] = Field(default=("text/html", "application/xhtml+xml", "text/plain"), strict=False)
    """Media types to keep, in lower case; the others become `not-html`. A body without one is sniffed."""


def header_value(head: bytes, name: bytes) -> bytes | None:
    """The first value of a field in a WARC header block, continuation lines joined; None if it is not there."""
    found = http.field(name).search(head)
    if found is None:
        return None
    value = found[1].strip(BLANKS)
    return re.sub(rb"\r?\n[ \t]+", b" ", value) if b"\n" in value else value


class WarcReader:
    """Reads responses, resources and conversions out of WARC files. The framing is defined in `framing`.

    `offset` and `length` are bytes of the file as stored: a record's own in a plain file; in gzip those of its member
    or members, so that records of one member share a range; in a member of more than 16 MB inflated they end where the
    record ends; in LZ4 and Zstandard they are the blocks that hold the record.
    """

    name: ClassVar[str] = "warc"
    version: ClassVar[int] = 2
    libraries: ClassVar[tuple[str, ...]] = ("fastwarc",)
    provides_text: ClassVar[bool] = False
    excerpts: ClassVar[bool] = True
    """Crawls have a gzip member for each record. Of other containers an excerpt may hold more, or be broken."""

    no_records: ClassVar[frozenset[str]] = frozenset({"corrupt-range", "truncated", "unsupported-format"})

    Config: ClassVar[type[StageConfig]] = WarcConfig
    reasons: ClassVar[tuple[Reason, ...]] = REASONS

    def __init__(self, config: WarcConfig, source_name: str) -> None:
        self._config = config
        self._source = source_name
        self._statuses = frozenset(config.statuses)
        self._media_types = frozenset(config.media_types)

    def check(self, stream: BinaryIO) -> None:
        """WARC files have no columns to check."""

    def read(self, stream: BinaryIO, file: str) -> Iterator[ReadBatch]:
        """Every record and every corrupt range once, in file order."""
        rows = Rows(file, self.reasons)
        for frame in frames(stream, self._config.max_record_bytes):
            if not frame.kind:
                yield from rows.add(
                    corrupt_row(self._source, file, frame.start, frame.end, frame.reason or "corrupt-range")
                )
            elif frame.kind not in RECORD_TYPES:
                rows.other(frame.kind.decode())
            else:
                yield from rows.add(self._row(frame, file))
        yield from rows.rest()

    def count(self, stream: BinaryIO) -> FileCount:
        """Records and corrupt ranges, by code that shares nothing with `read` but the definition."""
        return count_warc(stream, self._config.max_record_bytes)

    def glance(self, stream: BinaryIO) -> FileCount | None:
        """Records of a crawl of sound members, without inflating them."""
        return glance(stream, self._config.max_record_bytes)

    def _row(self, frame: Frame, file: str) -> Row:
        head = frame.head
        url = header_value(head, b"warc-target-uri")
        date = (header_value(head, b"warc-date") or b"").decode("latin-1")
        identifier = header_value(head, b"warc-record-id")
        content_type = http.decoded(header_value(head, b"content-type") or b"")
        address = escaped(url.removeprefix(b"<").removesuffix(b">").strip()) if url else None
        if identifier:
            doc_id = identity.native_id(self._source, identifier.decode("utf-8", "surrogateescape"))
        elif frame.reason:
            doc_id = identity.range_id(self._source, file, frame.start, frame.end)
        else:
            doc_id = identity.content_id(self._source, address, date, bytes(frame.block))
        row = Row(doc_id, frame.start, frame.end - frame.start, address, seconds(date), reason=frame.reason)
        return row if frame.reason else self._content(row, frame, content_type)

    def _content(self, row: Row, frame: Frame, content_type: str) -> Row:
        """Status, headers, media type and payload of a record; the payload only if the row goes on."""
        stated, charset = http.media_type(content_type)
        if frame.kind != b"response" or stated not in ("", "application/http"):
            return self._payload(row._replace(charset=charset), frame.block, stated)
        if not stated and frame.block[:5] != b"HTTP/":
            return self._payload(row, frame.block, "")
        message = http.split(frame.block)
        if message is None:
            return row._replace(reason="bad-http")
        stated, charset = http.media_type(next(iter(http.values(message.block, b"content-type")), ""))
        row = row._replace(
            http_status=message.status, http_headers=message.block, media_type=stated or None, charset=charset
        )
        if message.status not in self._statuses:
            return row._replace(reason="http-status")
        if stated and stated not in self._media_types:
            return row._replace(reason="not-html")
        try:
            body = http.body(message, self._config.max_payload_bytes)
        except http.BodyError as error:
            return row._replace(reason=error.reason)
        return self._payload(row, body, stated)

    def _payload(self, row: Row, body: bytes | memoryview, stated: str) -> Row:
        media_type = stated or http.sniff(body)
        if media_type not in self._media_types:
            return row._replace(media_type=media_type, reason="not-html")
        if len(body) > self._config.max_payload_bytes:
            return row._replace(media_type=media_type, reason="payload-too-large")
        return row._replace(media_type=media_type, payload=body)
