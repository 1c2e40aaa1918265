"""The second count of a file is a glance only where reader and glance agree that everything is sound."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import BinaryIO, ClassVar

import pytest

from lauter.pipeline.contract import FileCount
from tests.pipeline.small_run import build, write_manifest
from tests.pipeline.small_stages import CATALOGUE, LineReader

ASKED: Counter[str] = Counter()


class Glancing(LineReader):
    """Sees a record in each line end; broken lines are no records."""

    no_records: ClassVar[frozenset[str]] = frozenset({"broken-line"})

    def glance(self, stream: BinaryIO) -> FileCount | None:
        """None for a file without a line end."""
        ASKED["glance"] += 1
        ends = stream.read().count(b"\n")
        return FileCount(ends) if ends else None

    def count(self, stream: BinaryIO) -> FileCount:
        """As `LineReader`, which has one record too many where `lost` stands."""
        ASKED["count"] += 1
        stream.seek(0)
        found = super().count(stream)
        stream.seek(0)
        return dataclasses.replace(found, records=found.records + (b"lost" in stream.read()))


@pytest.mark.parametrize(
    ("text", "asked", "counted"),
    [
        ("a\tone text\nb\tlost text\n", {"glance": 1}, {"records": 2, "corrupt_ranges": 0}),
        ("a\tone text\nb\tanother", {"glance": 1, "count": 1}, {"records": 2, "corrupt_ranges": 0}),
        ("a\tone text", {"glance": 1, "count": 1}, {"records": 1, "corrupt_ranges": 0}),
        ("a\tone text\nb\n", {"count": 1}, {"records": 1, "corrupt_ranges": 1}),
        ("a\tone text\nb\tlost", {"glance": 1, "count": 1}, None),
    ],
    ids=["sound", "other number", "unsure", "no record", "lost"],
)
def test_a_glance_is_believed_where_it_agrees(
    tmp_path: Path, text: str, asked: dict[str, int], counted: dict[str, int] | None
) -> None:
    ASKED.clear()
    catalogue = dataclasses.replace(CATALOGUE, readers={"lines": "tests.pipeline.test_glancing:Glancing"})
    outcome = build(write_manifest(tmp_path, {"a.txt": text}), tmp_path / "out", catalogue=catalogue)
    assert asked == ASKED
    if counted is None:
        (failure,) = outcome.report.failures
        assert "the reader gave 2 rows, the independent count finds 3 records" in failure.error
    else:
        (entry,) = outcome.corpus["inputs"]
        assert entry["counted"] == counted
