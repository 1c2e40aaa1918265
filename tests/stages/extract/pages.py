"""Real pages for the tests of extraction, and batches made of payloads."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType

_ROOT = Path(os.environ.get("LAUTER_TEST_DATA", Path(__file__).resolve().parents[3] / "../shared/data"))


class Page(NamedTuple):
    record_id: str
    url: str
    payload: bytes


def public_folder() -> Path:
    """The folder of the public test data."""
    if not (_ROOT / "ground_truth.jsonl.gz").is_file():
        pytest.skip("test data ground_truth.jsonl.gz is not there (LAUTER_TEST_DATA)")
    return _ROOT


@cache
def warc(name: str) -> tuple[Page, ...]:
    path = _ROOT / name
    if not path.is_file():
        pytest.skip(f"test data {name} is not there (LAUTER_TEST_DATA)")
    pages = []
    with path.open("rb") as stream:
        for record in ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=True):
            if "html" in (record.http_headers.get("Content-Type") or ""):
                pages.append(
                    Page(record.record_id or "", record.headers.get("WARC-Target-URI") or "", record.reader.read())
                )
    return tuple(pages)


@cache
def truths() -> dict[str, str]:
    """Text by record id, of the pages that have one."""
    path = _ROOT / "ground_truth.jsonl.gz"
    if not path.is_file():
        pytest.skip("test data ground_truth.jsonl.gz is not there (LAUTER_TEST_DATA)")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return {row["record_id"]: row["gt"]["text"] for row in rows if row["gt"].get("text")}


def records(
    payloads: Sequence[bytes | None],
    *,
    media_type: str | None = "text/html",
    charset: str | None = None,
    text: Sequence[str | None] | None = None,
) -> pa.RecordBatch:
    rows = len(payloads)
    return pa.RecordBatch.from_pydict(
        {
            "doc_id": pa.array([row.to_bytes(16, "big") for row in range(rows)], pa.binary(16)),
            "media_type": pa.array([media_type] * rows, pa.string()),
            "charset": pa.array([charset] * rows, pa.string()),
            "payload": pa.array(payloads, pa.large_binary()),
            "text": pa.array(text or [None] * rows, pa.large_string()),
        }
    )
