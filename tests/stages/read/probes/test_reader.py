"""Each repetition is a record of its own, counted twice."""

from __future__ import annotations

import io

import pytest

from lauter.pipeline import identity
from lauter.pipeline.contract import FileCount, Reader
from lauter.pipeline.planting import Bucket, PlantingReader
from lauter.stages.read.probes.reader import ProbesConfig, ProbesReader
from tests.stages.read.probes.test_entries import YAML

LINES = """\
{"id": "a", "text": "one", "repetitions": 2}

{"id": "b", "text": "two"}
{"id": "c", "text": "3", "repetitions": 0}
"""


def reader() -> ProbesReader:
    found: Reader = ProbesReader(ProbesConfig(), "own")
    assert isinstance(found, PlantingReader) and found.planted
    return ProbesReader(ProbesConfig(), "own")


def test_each_repetition_is_one_record() -> None:
    (batch,) = reader().read(io.BytesIO(LINES.encode()), "probes.jsonl")
    assert batch.verdict.keep.all()
    records = batch.records.to_pylist()
    assert [record["text"] for record in records] == ["one", "one", "two"]
    assert [record["doc_id"] for record in records] == [identity.native_id("own", i) for i in ("a#1", "a#2", "b#1")]
    assert {record["url"] for record in records} == {None}
    assert [LINES.encode()[r["offset"] : r["offset"] + r["length"]] for r in records[1:]] == [
        b'{"id": "a", "text": "one", "repetitions": 2}',
        b'{"id": "b", "text": "two"}',
    ]


@pytest.mark.parametrize(("content", "records"), [(LINES, 3), (YAML, 11), ("", 0)])
def test_the_count_is_that_of_the_records(content: str, records: int) -> None:
    stream = io.BytesIO(content.encode())
    assert sum(batch.records.num_rows for batch in reader().read(stream, "f")) == records
    assert reader().count(io.BytesIO(content.encode())) == FileCount(records)
    buckets = reader().plants(io.BytesIO(content.encode()))
    assert sum(bucket.probes * bucket.repetitions for bucket in buckets) == records


def test_controls_are_listed_and_not_planted() -> None:
    assert reader().plants(io.BytesIO(YAML.encode())) == [
        Bucket("essays", "passage", 1, 3),
        Bucket("passage-0", "passage", 1, 0),
        Bucket("secrets", "canary", 2, 4),
    ]


def test_a_file_that_cannot_be_used_is_one_corrupt_range() -> None:
    content = b"probes: []\n"
    (batch,) = reader().read(io.BytesIO(content), "f")
    assert batch.records.column("length").to_pylist() == [len(content)] and not batch.verdict.keep.any()
    assert reader().count(io.BytesIO(content)) == FileCount(0, 1)
    with pytest.raises(ValueError, match="holds no probe"):
        reader().check(io.BytesIO(content))


def test_many_repetitions_are_cut_to_batches() -> None:
    text = "x" * 100_000
    content = f'{{"id": "a", "text": "{text}", "repetitions": 128}}'.encode()
    sizes = [batch.records.num_rows for batch in reader().read(io.BytesIO(content), "f")]
    assert sum(sizes) == 128 and max(sizes) <= 41
