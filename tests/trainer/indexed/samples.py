"""Datasets that Megatron's own builder wrote, and the ids that are in them."""

from __future__ import annotations

import json
import os
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest

FOLDER = (
    Path(os.environ.get("LAUTER_TEST_DATA", Path(__file__).parents[4] / "shared" / "data")) / "samples" / "megatron"
)

NAMES = (
    *("tiny_int32", "tiny_uint16", "empty_doc_int32", "empty_doc_uint16", "single_int32", "single_uint16"),
    "rand200_int32",
)


def expected(name: str) -> list[list[int]]:
    """The documents of a sample."""
    path = FOLDER / "expected.json"
    if not path.exists():
        pytest.skip(f"the test data {path.name} of samples/megatron is not there: set LAUTER_TEST_DATA")
    found: list[list[int]] = json.loads(path.read_bytes())[name.rsplit("_", 1)[0]]
    return found


def plainly_read(prefix: Path) -> list[list[int]]:
    """The plain twin of both writer and reader: documents by the description of the bytes alone."""
    index = prefix.with_name(f"{prefix.name}.idx").read_bytes()
    ids = prefix.with_name(f"{prefix.name}.bin").read_bytes()
    assert index[:9] == b"MMIDIDX\0\0" and int.from_bytes(index[9:17], "little") == 1
    dtype = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 8: "<u2"}[index[17]]
    sequences, borders = (int.from_bytes(index[at : at + 8], "little") for at in (18, 26))
    assert len(index) == 34 + 12 * sequences + 8 * borders
    lengths = np.frombuffer(index, "<i4", sequences, 34)
    starts = np.frombuffer(index, "<i8", sequences, 34 + 4 * sequences)
    firsts = np.frombuffer(index, "<i8", borders, 34 + 12 * sequences).tolist()
    found = [np.frombuffer(ids, dtype, length, start).tolist() for length, start in zip(lengths, starts, strict=True)]
    return [[*chain.from_iterable(found[first:end])] for first, end in pairwise(firsts)]
