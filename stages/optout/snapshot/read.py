"""Reads robots.txt snapshots: archived answers of many origins, from WARC, Parquet or JSON lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from lauter.pipeline.origin import locate
from lauter.stages.optout.snapshot.answer import Fetched, Reference, parse_time, read_http
from lauter.stages.optout.snapshot.rows import read_lines, read_parquet
from lauter.stages.optout.snapshot.warc import Record, read_records

_SUFFIX = re.compile(r"\.(warc|parquet|jsonl|ndjson)(?:\.(gz|zst|lz4|open))*$", re.IGNORECASE).search
_ANSWERS = ("response", "resource", "revisit")
# Records about a fetch, which say nothing of what was answered.
_ABOUT = ("warcinfo", "request", "metadata")


def read_snapshot(path: str, counts: Counter[str]) -> Iterator[Fetched]:
    """Yield every answer in a snapshot file, in file order.

    Formats, by suffix: `.warc[.gz|.zst|.lz4]` (response, resource and revisit records of a URL with the path
    /robots.txt); `.parquet` and `.jsonl[.gz]` with an origin (`robots_url`, `origin`, `url` or `domain`; a bare host is
    https), `status` or `http_status`, `fetched_at` or `fetched` (ISO 8601, timestamp, or seconds), `body` (`content`)
    as text or bytes or `body_b64`, and optionally `location`. A status that is there and cannot be read makes an answer
    broken. Counted into `counts`: `records`, `not_robots` (answers of other URLs in a WARC), `other_records` (of a
    /robots.txt, but of a type that is not read), `no_origin` (rows that name none), `broken` (rows that cannot be read,
    answers that are not what the server said), `undated`, `lost` (places where bytes of the file cannot be read, or an
    answer's origin cannot be: where it is not 0, an origin that is not found may have been in the file). Raises
    ValueError for another suffix or a Parquet file without an origin, OSError if it cannot be opened.
    """
    found = _SUFFIX(path)
    kind = found[1].lower() if found else ""
    if kind == "warc":
        answers = _warc(path, counts)
    elif kind == "parquet":
        answers = read_parquet(path, counts)
    elif kind in ("jsonl", "ndjson"):
        answers = read_lines(path, counts)
    else:
        raise ValueError(f"{path}: a robots snapshot is .warc(.gz), .parquet or .jsonl(.gz)")
    for answer in answers:
        counts["records"] += 1
        counts["undated"] += answer.fetched_at is None
        counts["broken"] += answer.broken
        yield answer


def _warc(path: str, counts: Counter[str]) -> Iterator[Fetched]:
    for record in read_records(path, counts):
        kind = record.headers.get("warc-type", "").lower()
        if kind in _ABOUT:
            continue
        # WARC 1.0 has the URL in angle brackets in its grammar, and some writers took it at its word.
        where = locate(record.headers.get("warc-target-uri", "").strip("<>"))
        robots = where is not None and where.target.partition("?")[0] == "/robots.txt"
        if where is None or not robots:
            counts["not_robots"] += kind in _ANSWERS and record.intact
        elif kind in _ANSWERS or not record.intact:
            yield _answer(where.origin, kind, record)
        else:
            counts["other_records"] += 1


def _answer(origin: str, kind: str, record: Record) -> Fetched:
    headers = record.headers
    fetched_at = parse_time(headers.get("warc-date", ""))
    truncated = "warc-truncated" in headers
    # A record in segments has its end elsewhere.
    broken = not record.intact or "warc-segment-number" in headers or (not record.block and kind == "response")
    if kind == "resource":
        answer = Fetched(origin, None, fetched_at, record.block, None, truncated, broken)
    elif kind == "revisit" and not broken and not record.block.strip():
        answer = Fetched(origin, None, fetched_at, b"")
    else:
        answer = read_http(origin, record.block, fetched_at, truncated=truncated, broken=broken)
    answer = answer._replace(record_id=headers.get("warc-record-id"))
    if kind != "revisit" or answer.broken:
        return answer
    # Its body is that of another record; a status line of its own may stand beside.
    return answer._replace(body=None, location=None, refers_to=_reference(headers))


def _reference(headers: Mapping[str, str]) -> Reference:
    where = locate(headers.get("warc-refers-to-target-uri", "").strip("<>"))
    robots = where is not None and where.target.partition("?")[0] == "/robots.txt"
    return Reference(
        headers.get("warc-refers-to"),
        where.origin if where is not None and robots else None,
        parse_time(headers.get("warc-refers-to-date", "")),
    )
