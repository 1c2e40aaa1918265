from __future__ import annotations

import numpy as np
import pytest

from lauter.trainer.indexed.layout import Header, dtype_of, pointers, read_header
from tests.trainer.indexed.samples import FOLDER, NAMES, expected


@pytest.mark.parametrize("name", NAMES)
def test_the_headers_of_megatrons_files_are_read_and_written(name: str) -> None:
    documents = expected(name)
    data = (FOLDER / f"{name}.idx").read_bytes()
    header = read_header(data)
    assert header == Header(4 if name.endswith("int32") and "u" not in name else 8, len(documents), len(documents) + 1)
    assert header.to_bytes() == data[:34]
    assert header.size == len(data)


def test_a_header_that_is_none_is_said_to_be() -> None:
    whole = Header(4, 3, 4).to_bytes()
    for data, said in (
        (whole[:33], "33 bytes, and the header alone has 34"),
        (b"MMIDIDY" + whole[7:], "does not begin with MMIDIDX"),
        (whole[:9] + b"\2" + whole[10:], "version 2"),
    ):
        with pytest.raises(ValueError, match=said):
            read_header(data)


def test_the_dtype_is_the_smallest_that_holds_the_vocabulary() -> None:
    assert [dtype_of(ids)[0] for ids in (1, 65_536, 65_537, 131_072, 1 << 31)] == [8, 8, 4, 4, 4]
    assert np.iinfo(dtype_of(65_536)[1]).max == 65_535  # type: ignore[type-var]


def test_places_follow_from_lengths_block_by_block() -> None:
    lengths = np.array([3, 0, 5, 1], np.int32)
    assert (pointers(lengths, 10, 2)[0].tolist(), pointers(lengths, 10, 2)[1]) == ([10, 16, 16, 26], 28)
    first, middle = pointers(lengths[:2], 10, 2)
    assert [*first, *pointers(lengths[2:], middle, 2)[0]] == [10, 16, 16, 26]
    assert (pointers(lengths[:0], 7, 2)[0].tolist(), pointers(lengths[:0], 7, 2)[1]) == ([], 7)
    # Past 2^31 bytes: 3 sequences of a billion ids.
    assert pointers(np.full(3, 1_000_000_000, np.int32), 0, 4)[1] == 12_000_000_000
