from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.extract.blocks.odds import look_up, table


@given(st.dictionaries(st.integers(1, 2**64 - 1), st.integers(-500, 500), max_size=60), st.integers(1, 2**64 - 1))
def test_a_table_is_a_dictionary(known: dict[int, int], other: int) -> None:
    odds = table(np.array([*known], np.uint64), np.array([*known.values()], np.int32))
    assert len(odds.keys) >= 2 * len(known)
    for key in (*known, other):
        assert look_up(*odds, np.uint64(key)) == known.get(key, 0)
