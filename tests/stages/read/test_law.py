"""The law of readers: rows read == rows counted by other code, for any bytes whatever."""

from __future__ import annotations

import io
import os
import random
import time
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline.contract import Reader
from lauter.stages.read.columns import TableConfig
from lauter.stages.read.jsonl import JsonlReader
from lauter.stages.read.parquet import ParquetReader
from lauter.stages.read.warc import WarcConfig, WarcReader
from lauter.stages.read.wet import WetConfig, WetReader
from tests.stages.read.archives import DATA, damaged, folder, http, layouts, record

LIMITS = (1000, 20_000, 200_000, 64 << 20)
PUBLIC = ("robots-for-html-hosts.warc.gz", "htmltotext.warc.gz")


def law(data: bytes, limit: int = 64 << 20, *, disjoint: bool = False) -> int:
    """Assert the law and the order of ranges; returns the number of rows."""
    reader = WarcReader(WarcConfig(max_record_bytes=limit), "source")
    ranges: list[tuple[int, int]] = []
    for batch in reader.read(io.BytesIO(data), "file"):
        batch.records.validate(full=True)
        assert len(batch.verdict.reason) == len(batch.records)
        offsets, lengths = batch.records["offset"].to_pylist(), batch.records["length"].to_pylist()
        ranges += [(offset, offset + length) for offset, length in zip(offsets, lengths, strict=True)]
    assert len(ranges) == reader.count(io.BytesIO(data)).rows
    assert all(0 <= start <= end <= len(data) for start, end in ranges)
    assert all(one[0] <= two[0] for one, two in pairwise(ranges))
    assert not disjoint or all(one[1] <= two[0] for one, two in pairwise(ranges))
    return len(ranges)


def synthetic(draw: random.Random) -> list[bytes]:
    """Some records, honest or not, in every container."""
    bodies = (
        b"",
        b"<p>" + draw.randbytes(draw.randrange(3000)),
        b"<p>a\n" * draw.randrange(30_000),
        b"\nWARC/1.0\r\n",
        b"x\nWARC/1.0\r\nContent-Length: 2\r\n\r\nab\r\n\r\n",
    )
    records = [
        record(
            http(draw.choice(bodies)),
            kind=draw.choice(("response", "response", "request", "resource", "conversion", "warcinfo", "zzz", "")),
            identifier=None,
            length=draw.choice((None, None, None, None, None, None, 3, 10**4, 10**6, 10**12)),
            tail=draw.choice((b"\r\n\r\n", b"\r\n\r\n", b"\r\n\r\n", b"\r\n\r\n", b"", b"\n", b"\n" * 9, b"\r\n" * 12)),
        )
        for _ in range(draw.randint(1, 8))
    ]
    return list(layouts(records, draw))


def seeds() -> list[bytes]:
    """Real files under 60 kB, if they are there, and synthetic ones."""
    draw = random.Random(20)
    found = [data for _ in range(30) for data in synthetic(draw)]
    if (DATA / "warc-real").is_dir():
        found += [path.read_bytes() for path in folder("warc-real") if path.stat().st_size < 60_000]
    return found


SEEDS = seeds()


@pytest.mark.slow
def test_law_holds_for_real_files_of_every_kind() -> None:
    for path in folder("warc-real"):
        plain = path.name.endswith(".warc")
        for limit in LIMITS:
            law(path.read_bytes(), limit, disjoint=plain)


@pytest.mark.slow
def test_law_holds_for_all_public_crawls() -> None:
    for path in folder("warc"):
        assert law(path.read_bytes(), disjoint=True) > 0


@pytest.mark.parametrize("name", PUBLIC)
def test_law_holds_for_a_public_crawl(name: str) -> None:
    path = DATA / "warc" / name
    if not path.is_file():
        pytest.skip("no warc/ in LAUTER_TEST_DATA")
    assert law(path.read_bytes(), disjoint=True) > 20


def test_law_holds_for_undamaged_seeds() -> None:
    for data in SEEDS:
        for limit in LIMITS:
            law(data, limit)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**63), st.sampled_from(LIMITS))
def test_law_holds_for_damaged_files(seed: int, limit: int) -> None:
    draw = random.Random(seed)
    law(damaged(draw.choice(SEEDS), draw, SEEDS), limit)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            (
                b"WARC/1.0\r\n",
                b"WARC/",
                b"\n",
                b"\r\n",
                b"\r\n\r\n",
                b"Content-Length: 2\r\n",
                b"content-length:\n 3",
                b"WARC-Type: response\r\n",
                b"ab",
                b" ",
                b"\x1f\x8b\x08",
                b"filedesc:",
            )
        ),
        max_size=40,
    )
)
def test_law_holds_for_pieces_of_syntax(parts: list[bytes]) -> None:
    law(b"".join(parts), 1000, disjoint=True)


@given(st.binary(max_size=300))
def test_law_holds_for_any_bytes(data: bytes) -> None:
    law(data)


def test_wet_reader_obeys_the_law_too() -> None:
    for path in folder("warc-real"):
        data = path.read_bytes()
        reader = WetReader(WetConfig(), "source")
        read = sum(len(batch.records) for batch in reader.read(io.BytesIO(data), "file"))
        assert read == reader.count(io.BytesIO(data)).rows, path.name


def test_rows_do_not_depend_on_how_the_stream_hands_out_bytes() -> None:
    class Trickle(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 997) if size is not None and size >= 0 else 997)

    draw = random.Random(3)
    for data in draw.sample(SEEDS, 40):
        reader = WarcReader(WarcConfig(), "source")
        whole = [batch.records for batch in reader.read(io.BytesIO(data), "file")]
        assert whole == [batch.records for batch in reader.read(Trickle(data), "file")]
        assert reader.count(Trickle(data)) == reader.count(io.BytesIO(data))


@pytest.mark.soak
def test_law_survives_a_long_fuzz(tmp_path: Path) -> None:
    end = time.monotonic() + float(os.environ.get("LAUTER_SOAK_SECONDS", "300"))
    seed = int(os.environ.get("LAUTER_SOAK_SEED", "0"))
    while time.monotonic() < end:
        draw = random.Random(seed)
        data = damaged(draw.choice(SEEDS), draw, SEEDS)
        limit = draw.choice(LIMITS)
        try:
            law(data, limit)
        except BaseException:
            (tmp_path / f"seed-{seed}-limit-{limit}").write_bytes(data)
            raise
        seed += 1


@pytest.mark.slow
def test_readers_keep_the_contract_and_take_arrow_streams() -> None:
    config, tables = WarcConfig(), TableConfig()
    readers: tuple[Reader, ...] = (
        WarcReader(config, "s"),
        WetReader(WetConfig(), "s"),
        JsonlReader(tables, "s"),
        ParquetReader(tables, "s"),
    )
    assert [reader.name for reader in readers] == ["warc", "wet", "jsonl", "parquet"]
    draw = random.Random(9)
    for data in (*draw.sample(SEEDS, 20), *synthetic(draw)):
        for reader in readers:
            stream = pa.BufferReader(data)
            found = [batch.records for batch in reader.read(stream, "file")]
            assert sum(len(records) for records in found) == reader.count(stream).rows
            assert found == [batch.records for batch in reader.read(io.BytesIO(data), "file")]
            assert not stream.closed
