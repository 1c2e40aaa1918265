"""What was done to a published file: which one, and which row group."""

from __future__ import annotations

import hashlib

import pyarrow as pa
import pyarrow.parquet as pq

from lauter.pipeline import parquet
from lauter.pipeline.storage import Output, Storage


def problem_of(storage: Storage, recorded: Output) -> str | None:
    """One sentence that names file and row group, or None if every byte is as recorded."""
    size = storage.size(recorded.path)
    if size is None:
        return f"{recorded.path}: is missing"
    data = storage.read(recorded.path)
    if hashlib.sha256(data).hexdigest() == recorded.sha256:
        return None
    if size != recorded.size:
        return f"{recorded.path}: has {size} bytes, recorded are {recorded.size}"
    if not recorded.row_groups:
        return f"{recorded.path}: was changed"
    try:
        ranges = parquet.row_group_ranges(pq.read_metadata(pa.BufferReader(data)))
    except (pa.ArrowException, OSError):
        return f"{recorded.path}: the footer was changed"
    for index, (digest, (start, end)) in enumerate(zip(recorded.row_groups, ranges, strict=False)):
        if hashlib.sha256(data[start:end]).hexdigest() != digest:
            return f"{recorded.path}: row group {index} was changed"
    return f"{recorded.path}: bytes outside its row groups (header or footer) were changed"
