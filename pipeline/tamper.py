"""What was done to a published file: which one, and which row group."""

from __future__ import annotations

import hashlib

import pyarrow as pa

from lauter.pipeline.footer import FooterBroken, row_group_ranges
from lauter.pipeline.storage import Output, Storage, StorageError

BLOCK_BYTES = 8 << 20
"""What is held of a file at a time."""


def problem_of(storage: Storage, recorded: Output) -> str | None:
    """One sentence that names file and row group, or None if every byte is as recorded. Never holds a whole file."""
    try:
        size = storage.size(recorded.path)
        if size is None:
            return f"{recorded.path}: is missing"
        with storage.open(recorded.path) as file:
            if _digest(file, 0, size) == recorded.sha256:
                return None
            if size != recorded.size:
                return f"{recorded.path}: has {size} bytes, recorded are {recorded.size}"
            return f"{recorded.path}: {_changed(file, recorded)}"
    except (StorageError, OSError) as error:
        return f"{recorded.path}: cannot be read: {error}"


def _changed(file: pa.NativeFile, recorded: Output) -> str:
    if not recorded.row_groups:
        return "was changed"
    try:
        ranges = row_group_ranges(file, recorded.size)
    except FooterBroken:
        return "the footer was changed"
    if len(ranges) != len(recorded.row_groups):
        return "the footer was changed"
    for index, (digest, (start, end)) in enumerate(zip(recorded.row_groups, ranges, strict=True)):
        if _digest(file, start, end) != digest:
            return f"row group {index} was changed"
    return "bytes outside its row groups (header or footer) were changed"


def _digest(file: pa.NativeFile, start: int, end: int) -> str:
    digest = hashlib.sha256()
    file.seek(start)
    while start < end and (block := file.read(min(BLOCK_BYTES, end - start))):
        digest.update(block)
        start += len(block)
    return digest.hexdigest()
