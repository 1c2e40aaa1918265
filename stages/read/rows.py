"""Rows of `schema.RECORD`, gathered into batches of about 4 MB of text or 16 MB of pages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from lauter.pipeline import identity, schema
from lauter.pipeline.contract import ReadBatch, Reason, Verdict

BATCH_BYTES = 4 << 20
"""Bytes of text at which a batch is cut; a record larger than that is alone in its batch."""

BATCH_PAYLOAD_BYTES = 16 << 20
"""Bytes of payload and headers at which a batch is cut: some 130 pages, of which 0.5 MB of text remain.

Progress moves every half second, at the 40 MB of HTML a second that a core extracts. Of batches of 4 MB, 32 pages, the
calls alone cost much: 16 MB take a third off opt-outs and languages, a fifth off PII, an eighth off quality."""

BATCH_ROWS = 8192

_UNFIT = re.compile("[\udc80-\udcff\x00]")
_LARGE = frozenset({"payload", "text"})

_FIRST = int(datetime(1, 1, 1, tzinfo=UTC).timestamp())
_LAST = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())

MAX_TEXT_BYTES = 16 << 20
"""Default limit of a text. At 16 MiB of one-letter words, the worst there is, the quality stage takes 0.6 GB; a long
novel has 3 MB."""

_DATE = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,][0-9]+)?)?"
    r"(?:[Zz]|([+-])([0-9]{2}):?([0-9]{2})| ?UTC)?)?)?)?"
)


class Row(NamedTuple):
    """One row of `schema.RECORD`, with the name of a reason if it ends in the reader."""

    doc_id: bytes
    offset: int
    length: int
    url: str | None = None
    fetched_at: int | None = None
    http_status: int | None = None
    http_headers: bytes | None = None
    media_type: str | None = None
    charset: str | None = None
    payload: bytes | memoryview | None = None
    text: bytes | None = None
    """UTF-8."""
    repository: str | None = None
    path: str | None = None
    licences: tuple[str, ...] | None = None
    generator: str | None = None
    marks: tuple[Mapping[str, object], ...] | None = None
    """Of `schema.MARK`."""
    reason: str | None = None
    fault: str | None = None
    """Evidence of the reason, where there is more to say than its name; nothing of the record's own words."""


def corrupt_row(source: str, file: str, start: int, end: int, reason: str) -> Row:
    """The row of a byte range [start, end) that is no record."""
    return Row(identity.range_id(source, file, start, end), start, end - start, reason=reason)


class Rows:
    """Gathers rows; `add` returns the batches that are full, in order, and `rest` what is left."""

    def __init__(self, file: str, reasons: tuple[Reason, ...]) -> None:
        self._file = file
        self._codes = {reason.name: code for code, reason in enumerate(reasons, 1)}
        self._rows: list[Row] = []
        self._bytes = self._payload_bytes = 0
        self._others: Counter[str] = Counter()

    def other(self, kind: str, count: int = 1) -> None:
        """Note an entry that is no record."""
        self._others[kind] += count

    def add(self, row: Row) -> Iterator[ReadBatch]:
        """Take a row."""
        size, payload = len(row.text or b""), len(row.payload or b"") + len(row.http_headers or b"")
        if self._rows and (
            self._bytes + size > BATCH_BYTES
            or self._payload_bytes + payload > BATCH_PAYLOAD_BYTES
            or len(self._rows) >= BATCH_ROWS
        ):
            yield self._cut()
        self._rows.append(row)
        self._bytes += size
        self._payload_bytes += payload

    def rest(self) -> Iterator[ReadBatch]:
        """The last batch, unless there is nothing in it."""
        if self._rows or self._others:
            yield self._cut()

    def _cut(self) -> ReadBatch:
        columns = list(zip(*self._rows, strict=True)) or [()] * len(Row._fields)
        by_name = dict(zip(Row._fields, columns, strict=True))
        by_name["file"] = (self._file,) * len(self._rows)
        arrays = [
            _large(by_name[field.name], field.type)
            if field.name in _LARGE
            else pa.array(by_name[field.name], field.type)
            for field in schema.RECORD
        ]
        reason = np.array([self._codes[row.reason] if row.reason else 0 for row in self._rows], dtype=np.uint8)
        records = pa.RecordBatch.from_arrays(arrays, schema=schema.RECORD)
        rules = [{"signal": "record", "text": row.fault} if row.fault else None for row in self._rows]
        rule = pa.array(rules, schema.RULE) if any(rules) else None
        batch = ReadBatch(records, Verdict(reason, rule=rule), dict(sorted(self._others.items())))
        self._rows, self._bytes, self._payload_bytes, self._others = [], 0, 0, Counter()
        return batch


def _large(values: Sequence[bytes | memoryview | None], kind: pa.DataType) -> pa.Array:
    """An array over one buffer of exactly its size; a builder's growing buffer cost a fifth of all reading."""
    sizes = np.fromiter((0 if value is None else len(value) for value in values), dtype=np.int64, count=len(values))
    offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(sizes)))
    valid = pa.array([value is not None for value in values], pa.bool_())
    data = b"".join(value for value in values if value is not None)
    buffers = [valid.buffers()[1], pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.Array.from_buffers(kind, len(values), buffers)


def instant(moment: int) -> int | None:
    """The same seconds since 1970 UTC, or None outside the years 1 to 9999, which is all that `datetime` can hold."""
    return moment if _FIRST <= moment <= _LAST else None


def seconds(date: str) -> int | None:
    """Seconds since 1970 UTC of an ISO 8601 date of any precision (W3C-DTF; a fraction is cut); None if it is none.

    A date without a zone is UTC. An instant that its zone carries out of the years 1 to 9999 is none.

    >>> seconds("2024-05-18T01:58:10Z")
    1715997490
    >>> seconds("2024") == seconds("2024-01-01T00:00:00Z")
    True
    """
    found = _DATE.fullmatch(date.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second, sign, zone_hour, zone_minute = found.groups()
    try:
        day_start = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
        clock = time(int(hour or 0), int(minute or 0), min(int(second or 0), 59))
    except ValueError:
        return None
    shift = 60 * (60 * int(zone_hour) + int(zone_minute)) if sign else 0
    seconds_of_day = 3600 * clock.hour + 60 * clock.minute + clock.second
    return instant(int(day_start.timestamp()) + seconds_of_day - (-shift if sign == "-" else shift))


def escaped(value: bytes) -> str:
    """Bytes of a URL as text: each byte that is not UTF-8 is percent-encoded, and so is NUL."""
    text = value.decode("utf-8", "surrogateescape")
    return _UNFIT.sub(lambda found: f"%{ord(found[0]) & 0xFF:02X}", text)


def utf8(value: bytes) -> bytes:
    """The bytes themselves if they are UTF-8, otherwise with U+FFFD for each sequence that is not."""
    try:
        value.decode()
    except UnicodeDecodeError:
        return value.decode("utf-8", "replace").encode()
    return value
