"""Records read again from their own bytes alone are those that the whole file gave, or it is seen that they are not."""

from __future__ import annotations

import io
import random

import numpy as np
import pyarrow as pa

from lauter.pipeline.steps.mirrors import _excerpt
from lauter.stages.read.warc import WarcConfig, WarcReader
from tests.stages.read.archives import damaged, http, layouts, read, record


def _again(data: bytes, chosen: list[dict[str, object]]) -> list[dict[str, object]]:
    """What an excerpt gives of some rows of a file, up to where something is amiss."""
    wanted = pa.table(
        {
            "row": pa.array(range(len(chosen)), pa.uint32()),
            "doc_id": pa.array([row["doc_id"] for row in chosen], pa.binary(16)),
            "offset": pa.array([row["offset"] for row in chosen], pa.int64()),
            "length": pa.array([row["length"] for row in chosen], pa.int64()),
        }
    )
    reader = WarcReader(WarcConfig(), "source")
    batches = list(_excerpt(reader, io.BytesIO(data), "file", wanted))
    assert np.array_equal(
        [number for batch in batches for number in batch.column("row").to_pylist()],
        range(sum(batch.num_rows for batch in batches)),
    )
    return [row for batch in batches for row in batch.drop_columns(["row"]).to_pylist()]


def _good(data: bytes) -> list[dict[str, object]]:
    return [
        row
        for batch in read(data)
        for row, reason in zip(batch.records.to_pylist(), batch.verdict.reason, strict=True)
        if not reason
    ]


def _stored(row: dict[str, object]) -> dict[str, object]:
    """A row without its length: what an excerpt makes of a record's end may be shorter by its line ends."""
    return {**row, "length": None}


def _records(draw: random.Random) -> list[bytes]:
    bodies = [b"<p>" + bytes(draw.choices(b"abc de", k=draw.choice((3, 60, 5000)))) for _ in range(6)]
    return [
        record(http(body), identifier=draw.choice((None, f"<urn:uuid:{number}>")), kind=kind)
        for number, (body, kind) in enumerate(zip(bodies, draw.choices(("response", "request"), k=6), strict=True))
    ]


def test_a_crawl_and_a_plain_file_are_read_without_the_rest() -> None:
    draw = random.Random(1)
    plain, crawl = [data for number, data in enumerate(layouts(_records(draw), draw)) if number < 2]
    for data in (plain, crawl):
        found = _good(data)
        assert len(found) > 2
        for chosen in (found, found[1:2], found[::2], found[-1:]):
            assert list(map(_stored, _again(data, chosen))) == list(map(_stored, chosen))


def test_what_an_excerpt_gives_is_what_the_file_gave() -> None:
    draw = random.Random(2)
    taken = wanted = 0
    for _ in range(20):
        records = _records(draw)
        whole = list(layouts(records, draw))
        for data in (*whole, *(damaged(data, draw, whole) for data in whole)):
            found = _good(data)
            chosen = [row for row in found if draw.random() < 0.5]
            if not chosen:
                continue
            again = _again(data, chosen)
            assert list(map(_stored, again)) == list(map(_stored, chosen[: len(again)]))
            taken, wanted = taken + len(again), wanted + len(chosen)
    assert 0.2 * wanted < taken < wanted
