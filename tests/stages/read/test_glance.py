"""A glance tells the number of records of a sound crawl, and of nothing else."""

from __future__ import annotations

import io
import random

import pytest

from lauter.pipeline.glancing import GlancingReader
from lauter.stages.read.warc import WarcConfig, WarcReader
from tests.stages.read.archives import damaged, folder, http, layouts, members, read, record

READER = WarcReader(WarcConfig(), "source")


def _glance(data: bytes) -> int | None:
    seen = READER.glance(io.BytesIO(data))
    return None if seen is None else seen.rows


def test_a_crawl_is_counted_by_its_members() -> None:
    assert isinstance(READER, GlancingReader)
    bodies = [b"<p>" * 9, b"\x1f\x8b\x08" * 3, b"", bytes(range(256)) * 40]
    records = [record(http(body), kind=kind) for body in bodies for kind in ("warcinfo", "response", "request")]
    for level in (0, 1, 9):
        assert _glance(members(records, level)) == len(bodies)
    assert _glance(members([record(http(b"<p>"), tail=b"")])) is None
    assert _glance(members([record(http(b"<p>"), length=3)])) is None
    assert _glance(members([records[0] + records[1]])) is None
    assert _glance(b"".join(records)) is None
    assert _glance(members(records) + b"\x00") is None
    assert _glance(members(records)[:-1]) is None
    assert _glance(b"") is None


def test_a_record_of_a_wrong_size_takes_no_other_with_it() -> None:
    whole, short = record(http(b"<p>")), record(http(b"<p>"), tail=b"\n")
    assert _glance(members([short, whole, whole])) is None
    assert _glance(members([short, record(http(b"<p>other")), whole])) is None
    assert _glance(members([whole[:90], whole[90:], whole, whole])) is None


def test_a_long_header_and_a_large_record_are_left_to_the_count() -> None:
    assert _glance(members([record(http(b"<p>"), url=b"http://a.example/" + b"a" * 9000)])) is None
    small = WarcReader(WarcConfig(max_record_bytes=10), "source")
    assert small.glance(io.BytesIO(members([record(http(b"<p>"))]))) is None


@pytest.mark.slow
def test_a_glance_that_is_believed_is_the_count() -> None:
    draw = random.Random(3)
    believed = 0
    for _ in range(60):
        records = [
            record(
                http(b"<p>" + draw.randbytes(draw.choice((0, 60, 5000)))),
                kind=draw.choice(("response", "request", "warcinfo")),
                length=draw.choice((None, None, None, None, None, None, 3, 10**6)),
                tail=draw.choice((*[b"\r\n\r\n"] * 8, b"", b"\n")),
            )
            for _ in range(draw.randint(1, 5))
        ]
        whole = list(layouts(records, draw))
        for data in (*whole, *(damaged(data, draw, whole) for data in whole)):
            seen = READER.glance(io.BytesIO(data))
            names = [READER.reasons[code - 1].name for batch in read(data) for code in batch.verdict.reason if code]
            if seen is not None and READER.no_records.isdisjoint(names):
                assert seen == READER.count(io.BytesIO(data))
                believed += 1
    assert believed > 40


def test_every_crawl_of_the_test_data_is_counted_at_a_glance() -> None:
    for path in folder("warc"):
        data = path.read_bytes()
        if len(data) < 3_000_000:
            assert _glance(data) == READER.count(io.BytesIO(data)).rows, path.name
