"""Batches of fixed shapes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.encoders.batches import STEP, batches


@given(st.lists(st.integers(2, 200), min_size=1, max_size=30), st.sampled_from([64, 512, 2048]))
def test_each_chunk_stands_once_in_a_shape_that_its_length_decides(lengths: list[int], tokens: int) -> None:
    chunks = [list(range(5, 5 + length)) for length in lengths]
    seen = []
    shapes: dict[int, set[tuple[int, ...]]] = {}
    for batch in batches(chunks, tokens, 1):
        rows, padded = batch.ids.shape
        assert batch.mask.shape == batch.ids.shape
        assert rows == max(tokens // padded, 1)
        assert 0 < len(batch.place) <= rows
        for row in range(rows):
            chunk = chunks[batch.place[min(row, len(batch.place) - 1)]]
            assert batch.ids[row][batch.mask[row] == 1].tolist() == chunk
            assert batch.mask[row].tolist() == sorted(batch.mask[row].tolist(), reverse=True)
            assert set(batch.ids[row][batch.mask[row] == 0].tolist()) <= {1}
            shapes.setdefault(-(-len(chunk) // STEP), set()).add(batch.ids.shape)
        seen += batch.place.tolist()
    assert sorted(seen) == list(range(len(lengths)))
    assert all(len(found) == 1 for found in shapes.values())


def test_short_chunks_come_first() -> None:
    places = [batch.place.tolist() for batch in batches([[1] * 100, [1] * 3, [1] * 70], 128, 0)]
    assert places == [[1], [0], [2]]
