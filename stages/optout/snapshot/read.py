"""Reads snapshots: archived robots.txt and kin of many origins, from WARC, Parquet, JSON lines or plain files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from lauter.pipeline.origin import Location, locate
from lauter.stages.optout.snapshot.answer import (
    Fetched,
    FileKind,
    Reference,
    is_rsl,
    is_silent,
    parse_time,
    read_http,
    read_response,
    well_known,
)
from lauter.stages.optout.snapshot.plain import place_of, read_plain
from lauter.stages.optout.snapshot.rows import read_lines, read_parquet
from lauter.stages.optout.snapshot.warc import Record, read_records

_SUFFIX = re.compile(r"\.(warc|parquet|jsonl|ndjson)(?:\.(gz|zst|lz4|open))*$", re.IGNORECASE).search
_ANSWERS = ("response", "resource", "revisit")
# Records about a fetch, which say nothing of what was answered.
_ABOUT = ("warcinfo", "request", "metadata")


def read_snapshot(path: str, counts: Counter[str]) -> Iterator[Fetched]:
    """Yield every answer in a snapshot file, in file order.

    Formats, by suffix: `.warc[.gz|.zst|.lz4]` (response, resource and revisit records of a URL with a path of
    `answer.WELL_KNOWN`, and RSL documents at any URL); `.parquet` and `.jsonl[.gz]` with an origin (`robots_url`,
    `origin`, `url` or `domain`; a bare host is https), `status` or `http_status`, `fetched_at` or `fetched` (ISO 8601,
    timestamp, or seconds), `body` (`content`) as text or bytes or `body_b64`, and optionally `location`,
    `content_type`, `truncated` and `broken` (booleans, see `answer.Fetched`) and `kind` (one of `answer.KINDS`; else
    the path and the body tell, see `rows`); and plain files, undated, whose path names the host (`plain.place_of`). A
    status that is there and cannot be read makes an answer broken. Counted in `counts`: `records`, `not_robots`
    (answers that are none of these, or `answer.is_silent`), `other_records` (of such a file, but of a type that is not
    read), `no_origin` (rows that name none), `broken` (rows that cannot be read, answers that are not what the server
    said), `undated`,
    `lost` (places where bytes of the file cannot be read, or an answer's origin cannot be: where it is not 0, an origin
    that is not found may have been in the file). Raises ValueError for another suffix or a Parquet file without an
    origin, OSError if it cannot be opened.
    """
    found = _SUFFIX(path)
    kind = found[1].lower() if found else ""
    if kind == "warc":
        answers = _warc(path, counts)
    elif kind == "parquet":
        answers = read_parquet(path, counts)
    elif kind in ("jsonl", "ndjson"):
        answers = read_lines(path, counts)
    elif place_of(path):
        answers = read_plain(path)
    else:
        raise ValueError(
            f"{path}: a snapshot is .warc(.gz), .parquet or .jsonl(.gz), or a plain HOST.txt, HOST/robots.txt, "
            "HOST/.well-known/tdmrep.json or HOST/ai.txt"
        )
    for answer in answers:
        counts["records"] += 1
        counts["undated"] += answer.fetched_at is None
        counts["broken"] += answer.broken
        yield answer


def is_snapshot(path: str) -> bool:
    """Whether a path is that of a file that `read_snapshot` reads."""
    return _SUFFIX(path) is not None or place_of(path) is not None


def snapshot_files(path: str) -> list[str]:
    """A file itself, or every file below a folder that is a snapshot, sorted by path.

    Raises ValueError for a folder without any, OSError for a path that is not there.
    """
    root = Path(path)
    if not root.is_dir():
        root.stat()
        return [path]
    found = sorted(str(file) for file in root.rglob("*") if file.is_file() and is_snapshot(str(file)))
    if not found:
        raise ValueError(f"{path}: no snapshot file below this folder")
    return found


def _warc(path: str, counts: Counter[str]) -> Iterator[Fetched]:
    for record in read_records(path, counts):
        kind = record.headers.get("warc-type", "").lower()
        if kind in _ABOUT:
            continue
        # WARC 1.0 has the URL in angle brackets in its grammar, and some writers took it at its word.
        where = locate(record.headers.get("warc-target-uri", "").strip("<>"))
        file = well_known(where.target) if where else None
        if where is None or file is None:
            document = _licence(where, kind, record) if where else None
            if document:
                yield document
            else:
                counts["not_robots"] += kind in _ANSWERS and record.intact
        elif kind in _ANSWERS or not record.intact:
            answer = _answer(where.origin, file, kind, record)
            if is_silent(where.target, answer):
                counts["not_robots"] += 1
            else:
                yield answer
        else:
            counts["other_records"] += 1


def _licence(where: Location, kind: str, record: Record) -> Fetched | None:
    """An RSL document, which only its own bytes tell: a broken or repeated one is not found."""
    if kind not in ("response", "resource") or not record.intact or b"rsl" not in record.block[:8192].lower():
        return None
    headers = record.headers
    fetched_at = parse_time(headers.get("warc-date", ""))
    if kind == "resource":
        answer, media_type = Fetched(where.origin, None, fetched_at, record.block), headers.get("content-type", "")
    else:
        answer, media_type = read_response(where.origin, record.block, fetched_at, truncated=False, broken=False)
    if not is_rsl(media_type, answer.body or b""):
        return None
    return answer._replace(
        kind="rsl",
        url=where.origin + where.target,
        truncated="warc-truncated" in headers,
        record_id=headers.get("warc-record-id"),
    )


def _answer(origin: str, file: FileKind, kind: str, record: Record) -> Fetched:
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
    answer = answer._replace(record_id=headers.get("warc-record-id"), kind=file)
    if kind != "revisit" or answer.broken:
        return answer
    # Its body is that of another record; a status line of its own may stand beside.
    return answer._replace(body=None, location=None, refers_to=_reference(file, headers))


def _reference(file: FileKind, headers: Mapping[str, str]) -> Reference:
    where = locate(headers.get("warc-refers-to-target-uri", "").strip("<>"))
    return Reference(
        headers.get("warc-refers-to"),
        where.origin if where is not None and well_known(where.target) == file else None,
        parse_time(headers.get("warc-refers-to-date", "")),
    )
