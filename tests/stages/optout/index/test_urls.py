"""URLs taken apart by kernels, beside `locate`; and their ids beside xxhash itself."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import example, given
from hypothesis import strategies as st

from lauter.pipeline.origin import locate, origin_id, resolve_dots
from lauter.stages.optout.index.urls import DOTTED, OWN_FILE, split
from lauter.stages.optout.index.xxh3 import LONGEST, SHORTEST, xxh3

_PIECES = (
    "http:// https:// HTTP:// ftp:// a.example a . .. -_ / // /. /.. %2e %2E ? # /robots.txt \\ @ :80 :443 :8080 é "
    "xn--a www. % [::1] a?b#c"
)
pieces = st.sampled_from([*_PIECES.split(), " ", "\n", "\t", "x" * 130])
urls = st.lists(pieces, max_size=7).map("".join)
plain = st.lists(pieces, max_size=5).map("".join).map("https://a.example/".__add__)


@given(st.lists(st.one_of(urls, plain, st.none()), max_size=6), st.booleans(), st.integers(0, 2))
@example(["https://a.example/x\ny", "https://a.example#\n", "http://a.b", "https://a.example/robots.txt?"], False, 0)
def test_split_is_locate(texts: list[str | None], large: bool, skip: int) -> None:  # noqa: FBT001 - hypothesis passes it
    column = pa.array([*["https://before.example/"] * skip, *texts], pa.large_string() if large else pa.string())
    places = split(column.slice(skip))
    assert len(places) == len(texts)
    for i, text in enumerate(texts):
        place = locate(text) if text is not None else None
        assert places.known[i] == (place is not None)
        if place is None:
            continue
        assert (places.origin(i), places.target(i)) == place
        assert int(places.origin_id[i]) == origin_id(place.origin)
        assert bool(places.marks[i] & OWN_FILE) == (place.target.partition("?")[0] == "/robots.txt")
        if resolve_dots(place.target) != place.target:
            assert places.marks[i] & DOTTED


def test_resolved() -> None:
    places = split(pa.array(["https://a.example/a/../b", "https://a.example/.well", "https://a.example/c\\d"]))
    again, resolved = places.resolved(np.arange(3))
    assert again.tolist() == [0, 2]
    assert [resolved.target(i) for i in range(2)] == ["/b", "/c/d"]


@pytest.mark.parametrize("size", range(SHORTEST, LONGEST + 1))
def test_xxh3(size: int) -> None:
    data = np.random.default_rng(size).integers(0, 256, size + 2, np.uint8)
    assert int(xxh3(data, 1, 1 + size)) == xxhash.xxh3_64_intdigest(data[1 : 1 + size].tobytes())
