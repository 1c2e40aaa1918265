"""Answers from tables: JSON lines and Parquet, one row an answer, and no row that costs another."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from lauter.pipeline.origin import Location, locate
from lauter.stages.optout.snapshot.answer import KINDS, Fetched, FileKind, is_rsl, is_silent, parse_time, well_known
from lauter.stages.optout.snapshot.salvage import Kind, read_parts

_ORIGIN = ("robots_url", "origin", "url", "domain")
_OTHER = ("status", "http_status", "fetched_at", "fetched", "body", "body_b64", "content", "location")
_ABOUT = ("kind", "content_type", "truncated", "broken")
# `503`, `503.0` as pandas writes it, `503 Service Unavailable`, and the status line itself.
_STATUS = re.compile(r"(?:HTTP/[0-9.]+ +)?([0-9]{1,3})(?:\.0*)?(?![0-9A-Za-z.])", re.IGNORECASE).match
_READABLE = re.compile(
    rb'"(robots_url|origin|url|domain|fetched_at|fetched)"\s*:\s*(?:"([^"\\\r\n]*)"|([0-9]{1,12})\b)'
)
_LINE_BYTES = 1 << 28


class Broken(NamedTuple):
    """A row that cannot be read."""

    readable: Mapping[str, object]
    """Of its origin and time, what can be."""


def read_lines(path: str, counts: Counter[str]) -> Iterator[Fetched]:
    """Yield the answers of a `.jsonl` file, plain or compressed (fields: see `snapshot.read_snapshot`)."""
    return _answers(_lines(path, counts), counts)


def read_parquet(path: str, counts: Counter[str]) -> Iterator[Fetched]:
    """Yield the answers of a Parquet file (columns: see `snapshot.read_snapshot`).

    Raises ValueError if it has no column that names an origin, OSError if it cannot be opened.
    """
    return _answers(_parquet(path, counts), counts)


def _answers(rows: Iterator[Mapping[str, object] | Broken], counts: Counter[str]) -> Iterator[Fetched]:
    for row in rows:
        if isinstance(row, Broken):
            counts["lost"] += 1
            place = _place(row.readable)
            kind = _kind(place, row.readable, None) if place else None
            if place is None:
                counts["broken"] += 1
            elif kind is not None:
                fetched_at = parse_time(_first(row.readable, "fetched_at", "fetched"))
                yield _named(Fetched(place.origin, None, fetched_at, b"", broken=True), place, kind)
            continue
        place = _place(row)
        if place is None:
            counts["no_origin"] += 1
            # An answer, but nobody knows whose. A name that is no host (`localhost/`, `n/a`) is nobody's.
            counts["lost"] += not any(isinstance(row.get(name), str) for name in _ORIGIN) and any(
                row.get(name) is not None for name in _OTHER
            )
        else:
            answer = _answer(place.origin, row)
            kind = _kind(place, row, answer.body)
            if kind is None or (kind != "rsl" and is_silent(place.target, answer)):
                counts["not_robots"] += 1
            else:
                yield _named(answer, place, kind)


def _kind(place: Location, row: Mapping[str, object], body: bytes | None) -> FileKind | None:
    """By the column `kind`, else the path, else the body; a page without any of these is the origin's robots.txt.

    None for a path that ends with `.xml` and is no RSL document: a licence that was not got is no robots.txt.
    """
    told = next((kind for kind in KINDS if row.get("kind") == kind), None)
    if told:
        return told
    kind = well_known(place.target)
    if kind:
        return kind
    media_type = row.get("content_type")
    if place.target != "/" and is_rsl(media_type if isinstance(media_type, str) else "", body or b""):
        return "rsl"
    return None if place.target.partition("?")[0].lower().endswith(".xml") else "robots.txt"


def _named(answer: Fetched, place: Location, kind: FileKind) -> Fetched:
    return answer._replace(kind=kind, url=place.origin + place.target if kind == "rsl" else None)


def _answer(origin: str, row: Mapping[str, object]) -> Fetched:
    body = _first(row, "body", "content")
    broken = row.get("broken") is True
    if body is None and isinstance(coded := row.get("body_b64"), str):
        try:
            body = base64.b64decode(coded, validate=True)
        except (binascii.Error, ValueError):
            broken = True
    if isinstance(body, str):
        body = body.encode("utf-8", "surrogatepass")
    elif body is not None and not isinstance(body, bytes):
        broken = True
    status = _first(row, "status", "http_status")
    if (isinstance(status, float) and math.isnan(status)) or status == "":
        # The null of tables that have none. Beside no bytes it is a failed request, not an empty file.
        status = None
        body = body or None
    number = _number(status)
    broken = broken or (number is None and status is not None)
    location = row.get("location")
    return Fetched(
        origin,
        number,
        parse_time(_first(row, "fetched_at", "fetched")),
        b"" if broken else body if isinstance(body, bytes) else None,
        location if isinstance(location, str) and _encodable(location) else None,
        row.get("truncated") is True,
        broken,
    )


def _number(status: object) -> int | None:
    """A status of at most three digits, however it is written; None for anything else."""
    if isinstance(status, bytes):
        status = status.decode("latin-1")
    if isinstance(status, str):
        found = _STATUS(status.strip())
        return int(found[1]) if found else None
    if isinstance(status, bool) or not isinstance(status, int | float | Decimal):
        return None
    return int(status) if 0 <= status < 1000 and status == int(status) else None


def _encodable(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in text)


def _place(row: Mapping[str, object]) -> Location | None:
    for name in _ORIGIN:
        value = row.get(name)
        if isinstance(value, str) and ("://" in value or not set(value) & set("/?#@")):
            place = locate(value if "://" in value else f"https://{value}")
            if place:
                return place
    return None


def _first(row: Mapping[str, object], *names: str) -> object:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _lines(path: str, counts: Counter[str]) -> Iterator[Mapping[str, object] | Broken]:
    pieces: list[bytes] = []
    size = 0
    for part in read_parts(path):
        if part.kind is Kind.LOSS:
            counts["lost"] += 1
        elif part.kind is Kind.DATA:
            *lines, rest = part.data.split(b"\n")
            for line in lines:
                yield from _line(b"".join([*pieces, line]))
                pieces, size = [], 0
            pieces.append(rest)
            size += len(rest)
            if size <= _LINE_BYTES:
                continue
        else:
            continue
        # What stands after a loss, or after more bytes than any answer has, belongs to no row.
        yield from _line(b"".join(pieces))
        pieces, size = [], 0
    yield from _line(b"".join(pieces))


def _line(line: bytes) -> Iterator[Mapping[str, object] | Broken]:
    if not line.strip():
        return
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if isinstance(row, dict):
        yield row
        return
    readable: dict[str, object] = {}
    for name, text, number in _READABLE.findall(line):
        readable.setdefault(name.decode(), int(number) if number else text.decode("utf-8", "replace"))
    yield Broken(readable)


def _parquet(path: str, counts: Counter[str]) -> Iterator[Mapping[str, object] | Broken]:
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowException as error:
        raise ValueError(f"{path}: cannot be read as Parquet: {error}") from error
    columns = [name for name in _ORIGIN + _OTHER + _ABOUT if name in file.schema_arrow.names]
    if not set(_ORIGIN) & set(columns):
        raise ValueError(f"{path}: none of the columns origin, robots_url, url, domain")
    for group in range(file.num_row_groups):
        try:
            for batch in file.iter_batches(1024, row_groups=[group], columns=columns):
                yield from _table_rows(batch)
        except (OSError, pa.ArrowException):
            counts["broken"] += 1
            counts["lost"] += 1


def _table_rows(batch: pa.RecordBatch) -> Iterator[Mapping[str, object] | Broken]:
    for i, field in enumerate(batch.schema):
        column = batch.column(i)
        if pa.types.is_date(field.type):
            column = column.cast(pa.timestamp("ms"), safe=False)
        if pa.types.is_timestamp(column.type):
            # Neither nanoseconds nor the year 10,000 have a Python type; seconds do.
            column = column.cast(pa.timestamp("s", column.type.tz), safe=False).cast(pa.int64())
        elif field.name in ("body", "content") and (
            pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        ):
            column = column.cast(pa.large_binary())  # Text that is no UTF-8 has no Python type either.
        batch = batch.set_column(i, field.name, column)
    try:
        rows = batch.to_pylist()
    except (ValueError, OverflowError):
        rows = [row for i in range(batch.num_rows) for row in _one_row(batch.slice(i, 1))]
    yield from rows


def _one_row(batch: pa.RecordBatch) -> list[Mapping[str, object] | Broken]:
    try:
        return list(batch.to_pylist())
    except (ValueError, OverflowError):
        readable: dict[str, object] = {}
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            try:
                readable[name] = column[0].as_py()
            except (ValueError, OverflowError):
                continue
        return [Broken(readable)]
