"""Exact hashes and keys: the kernels against plain Python and against the xxhash library."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.kernels.hashing import fold, random_sequence, salted_keys, squeeze, text_hashes
from lauter.stages.kernels.words import text_buffers

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
WHITE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""The 25 characters of property White_Space, PropList.txt of Unicode 17.0."""

u64 = st.integers(0, MASK)
spaced_texts = st.lists(
    st.text(st.one_of(st.sampled_from(WHITE + "\u200b\u180e\x1c\ufeff\u3001Âẞ"), st.characters(codec="utf-8"))),
    max_size=6,
)


def finish_plainly(value: int) -> int:
    value = (value ^ value >> 33) * 0xFF51AFD7ED558CCD & MASK
    value = (value ^ value >> 33) * 0xC4CEB9FE1A85EC53 & MASK
    return value ^ value >> 33


def fold_plainly(state: int, value: int) -> int:
    return finish_plainly((state * GOLDEN + GOLDEN & MASK) ^ value)


def squeeze_plainly(text: str) -> str:
    return re.sub(f"[{WHITE}]+", " ", text).strip(" ")


@settings(deadline=None)  # the first call compiles
@given(u64, st.integers(0, 20))
def test_random_sequence_equals_plain_python(seed: int, count: int) -> None:
    expected = [finish_plainly(seed + i * GOLDEN & MASK) for i in range(1, count + 1)]
    assert random_sequence(seed, count).tolist() == expected


@settings(deadline=None)  # the first call compiles
@given(u64, st.lists(st.tuples(u64, u64), max_size=5), st.integers(0, 256))
def test_keys_equal_plain_python(state: int, rows: list[tuple[int, int]], kind: int) -> None:
    assert int(fold(np.uint64(state), np.uint64(kind))) == fold_plainly(state, kind)
    hashes = np.array([row[0] for row in rows], np.uint64)
    salts = np.array([row[1] for row in rows], np.uint64)
    expected = [fold_plainly(fold_plainly(salt, kind), value) for value, salt in rows]
    assert salted_keys(hashes, salts, kind).tolist() == expected


def test_kinds_and_salts_make_other_keys() -> None:
    hashes = np.zeros(100, np.uint64)
    salts = np.arange(100, dtype=np.uint64)
    keys = np.concatenate([salted_keys(hashes, salts, kind) for kind in range(15)])
    assert np.unique(keys).size == 1500


@settings(deadline=None)  # the first call compiles
@given(spaced_texts, st.integers(0, 3))
def test_squeeze_equals_plain_python(texts: list[str], skip: int) -> None:
    buffers = text_buffers(pa.array(texts, pa.large_string())[skip:])
    squeezed = np.empty(int(buffers.offsets[-1] - buffers.offsets[0]) + 1, np.uint8)
    bounds = np.empty_like(buffers.offsets)
    squeeze(buffers.data, buffers.offsets, squeezed, bounds)
    found = [squeezed[start:end].tobytes().decode() for start, end in pairwise(bounds)]
    assert found == [squeeze_plainly(text) for text in texts[skip:]]


@settings(deadline=None)  # the first call compiles
@given(spaced_texts)
def test_text_hash_is_the_low_half_of_xxh3(texts: list[str]) -> None:
    expected = [xxhash.xxh3_128_intdigest(squeeze_plainly(text).encode()) & MASK for text in texts]
    assert text_hashes(text_buffers(pa.array(texts, pa.large_string()))).tolist() == expected


@pytest.mark.parametrize("white", WHITE)
def test_each_white_space_character_counts_as_a_space(white: str) -> None:
    texts = ["a b", f"{white}a{white}{white}b{white}", f"a{white}b", "ab"]
    hashes = text_hashes(text_buffers(pa.array(texts, pa.large_string()))).tolist()
    assert hashes[0] == hashes[1] == hashes[2] != hashes[3]


def test_any_other_difference_is_another_hash() -> None:
    texts = ["Page 1.", "Page 2.", "page 1.", "Page 1", "Page1.", "Page\u200b1.", "", "."]
    assert np.unique(text_hashes(text_buffers(pa.array(texts, pa.large_string())))).size == len(texts)


@settings(deadline=None)  # the first call compiles
@given(st.binary(max_size=40))
def test_bytes_that_are_no_utf8_do_no_harm(raw: bytes) -> None:
    texts = pa.array([raw, b"x", raw], pa.large_binary())
    hashes = text_hashes(text_buffers(texts)).tolist()
    assert hashes[0] == hashes[2]
    assert hashes[1] == xxhash.xxh3_128_intdigest(b"x") & MASK
