"""An excerpt is a file: of the bytes of its ranges, in their order."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from lauter.pipeline.excerpt import Excerpt

DATA = bytes(range(256))
RANGES = st.lists(st.tuples(st.integers(0, 260), st.integers(0, 9)), min_size=1, max_size=6)


@given(RANGES, st.lists(st.tuples(st.integers(-3, 40), st.integers(0, 30)), max_size=6))
def test_it_reads_as_the_ranges_after_one_another(ranges: list[tuple[int, int]], reads: list[tuple[int, int]]) -> None:
    ranges = [(start, min(size, max(len(DATA) - start, 0))) for start, size in ranges]
    plain = io.BytesIO(b"".join(DATA[start : start + size] for start, size in ranges))
    with Excerpt(io.BytesIO(DATA), ranges) as excerpt:
        assert excerpt.seek(0, io.SEEK_END) == plain.seek(0, io.SEEK_END)
        for place, count in reads:
            assert excerpt.seek(max(place, 0)) == plain.seek(max(place, 0)) == excerpt.tell()
            assert excerpt.read(count) == plain.read(count)
            assert excerpt.seek(1, io.SEEK_CUR) == plain.seek(1, io.SEEK_CUR)
        excerpt.seek(0)
        assert excerpt.read() == plain.getvalue()


def test_a_stream_that_ends_too_early_ends_the_excerpt() -> None:
    stream = io.BytesIO(DATA)
    assert Excerpt(stream, [(250, 3), (254, 9), (0, 4)]).read() == DATA[250:253] + DATA[254:]
    assert not stream.closed
