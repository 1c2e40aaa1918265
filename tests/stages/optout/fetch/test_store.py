"""A snapshot that ends anywhere is gone on with, and nothing else is touched."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from lauter.stages.optout.fetch.store import SnapshotError, Store
from lauter.stages.optout.snapshot.read import read_snapshot

ROWS = [
    {"url": f"https://h{i}.example/robots.txt", "status": 200, "body_b64": "I" + "0" * 3, "detail": "ü\n"}
    for i in range(2)
]


def write(path: Path) -> list[int]:
    """Write the rows; where each one ends."""
    ends = []
    with Store(path) as store:
        for row in ROWS:
            store.append(row)
            ends.append(path.stat().st_size)
    return ends


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
def test_a_cut_at_any_byte_costs_the_row_it_is_in(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"robots.{suffix}"
    ends = write(path)
    whole = path.read_bytes()
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        left = sum(end <= size for end in ends)
        with Store(path) as store:
            assert store.urls == {row["url"] for row in ROWS[:left]}
            assert store.dropped_bytes == size - ([0, *ends][left])
            for row in ROWS[left:]:
                store.append(row)
        assert path.read_bytes() == whole


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
def test_the_reader_of_snapshots_reads_it(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"robots.{suffix}"
    write(path)
    counts: Counter[str] = Counter()
    answers = list(read_snapshot(str(path), counts))
    assert [a.origin for a in answers] == [f"https://h{i}.example" for i in range(2)]
    assert (counts["lost"], counts["records"]) == (0, 2)


@pytest.mark.parametrize(
    "data",
    [
        b'{"origin": "https://a.example", "body": "x"}\n',
        b"host,status\na.example,200\n",
        b"all my notes",
        b'{"url": "https://a.example/"}\n\0\0\0\0',
        b'{"url": "https://a.example/"}\n{"url": broken}\n{"url": "https://b.example/"}\n',
        b'{"url": 7}\n',
        b"[]\n",
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_file_that_no_fetch_wrote_is_left_alone(*, data: bytes, zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / ("notes.jsonl.gz" if zipped else "notes.jsonl")
    data = gzip.compress(data, mtime=0) if zipped else data
    path.write_bytes(data)
    with pytest.raises(SnapshotError, match=r"notes\.jsonl"):
        Store(path)
    assert path.read_bytes() == data


def test_plain_rows_in_a_file_named_gz_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "robots.jsonl.gz"
    data = json.dumps(ROWS[0]).encode() + b"\n"
    path.write_bytes(data)
    with pytest.raises(SnapshotError, match="not what a fetch writes"):
        Store(path)
    assert path.read_bytes() == data


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "robots.jsonl"
    with Store(path), pytest.raises(SnapshotError, match="another fetch"):
        Store(path)
    with Store(path):
        pass


def test_a_name_that_cannot_be_appended_to(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="jsonl"):
        Store(tmp_path / "robots.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_error() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")

    class Full(Store):
        def __init__(self) -> None:
            self._gzip = False
            self._file = full.open("r+b", buffering=0)

    with pytest.raises(OSError, match="No space"):
        Full().append(ROWS[0])
