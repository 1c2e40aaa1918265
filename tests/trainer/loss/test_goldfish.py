"""Goldfish: Apertus' vectors, realised rates, and that only the document decides."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lauter.trainer.config.sections import GoldfishSection
from lauter.trainer.loss.goldfish import apertus_table, dropped

APERTUS = GoldfishSection(hash="apertus")
MIXED = GoldfishSection(hash="mixed")
ONE_DOCUMENT = np.zeros(1, np.int64)
MASK = (1 << 64) - 1


def uint32(ids: object) -> NDArray[np.uint32]:
    return np.asarray(ids, np.uint32)


def zipf(count: int) -> NDArray[np.uint32]:
    """Ids whose frequencies fall as 1 / rank, in no order."""
    draw = np.random.default_rng(5)
    shares = 1 / np.arange(1, 131_073)
    ranks = np.searchsorted(np.cumsum(shares) / shares.sum(), draw.random(count))
    return uint32(draw.permutation(131_072)[ranks])


def by_torch(tokens: NDArray[np.uint32], k: int, h: int) -> NDArray[np.bool_]:
    """Apertus' rule over one document in plain torch."""
    result = np.zeros(tokens.size, np.bool_)
    if tokens.size >= h:
        keys = torch.from_numpy(tokens.astype(np.int64)).unfold(0, h, 1).prod(1) % 1_000_003
        result[h - 1 :] = (torch.from_numpy(apertus_table())[keys] < 1 / k).numpy()
    return result


def mixed(x: int) -> int:
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


def by_python(tokens: NDArray[np.uint32], k: int, h: int) -> NDArray[np.bool_]:
    """The rule of `mixed` over one document, each window by itself."""
    step = 0x9E3779B97F4A7C15
    result = np.zeros(tokens.size, np.bool_)
    for place in range(h - 1, tokens.size):
        window = 0
        for token in tokens[place - h + 1 : place + 1].tolist():
            window = (window * step + mixed(token + step & MASK)) & MASK
        result[place] = mixed(window) < (1 << 64) // k
    return result


REFERENCE = {"apertus": by_torch, "mixed": by_python}


def test_the_table_is_the_one_of_apertus() -> None:
    table = apertus_table()
    assert table[:4].tolist() == pytest.approx([0.233683884, 0.441264033, 0.741147697, 0.909271896], abs=1e-9)
    assert float(table[-1]) == pytest.approx(0.836006761, abs=1e-9)
    assert int((table < np.float32(0.02)).sum()) == 19_901
    digest = "33025be4fa64d02d0a2e630dfa7fc166bf76a5364206fe4cd8973ce46e836562"
    assert hashlib.sha256(table.tobytes()).hexdigest() == digest


@pytest.mark.parametrize(
    ("ids", "windows"), [(range(1001, 1101), [41]), (range(1001, 1400, 2), [78, 85, 123, 142])], ids=["all", "odd"]
)
def test_vectors_of_apertus(ids: range, windows: list[int]) -> None:
    assert (np.flatnonzero(dropped(uint32(ids), ONE_DOCUMENT, APERTUS)) - 49).tolist() == windows


def test_a_million_uniform_ids_are_dropped_as_torch_says_overflow_and_all() -> None:
    tokens = uint32(np.random.default_rng(1).integers(0, 131_072, 1_000_000))
    assert np.array_equal(dropped(tokens, ONE_DOCUMENT, APERTUS), by_torch(tokens, 50, 50))


@given(
    hash_=st.sampled_from(["apertus", "mixed"]),
    lengths=st.lists(st.integers(0, 40), max_size=6),
    k=st.integers(1, 5),
    h=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_documents_one_by_one_are_the_same(hash_: str, lengths: list[int], k: int, h: int, seed: int) -> None:
    section = GoldfishSection.model_validate({"hash": hash_, "k": k, "h": h})
    documents = [uint32(np.random.default_rng(seed + n).integers(0, 1 << 32, n)) for n in lengths]
    starts = np.cumsum([0, *lengths], dtype=np.int64)[:-1] if lengths else np.zeros(0, np.int64)
    found = dropped(uint32(np.concatenate([*documents, uint32([])])), starts, section)
    expected = [REFERENCE[hash_](document, k, h) for document in documents]
    assert np.array_equal(found, np.concatenate([*expected, np.zeros(0, np.bool_)]))


@given(hash_=st.sampled_from(["apertus", "mixed"]), cut=st.integers(0, 400), h=st.integers(1, 60))
def test_a_document_cut_anywhere_drops_the_same_labels(hash_: str, cut: int, h: int) -> None:
    section = GoldfishSection.model_validate({"hash": hash_, "k": 3, "h": h})
    tokens = zipf(400)
    whole = dropped(tokens, ONE_DOCUMENT, section)
    context = max(0, cut - (h - 1))
    rest = dropped(tokens[context:], ONE_DOCUMENT, section)[cut - context :]
    assert np.array_equal(np.concatenate([dropped(tokens[:cut], ONE_DOCUMENT, section), rest]), whole)


def test_mixed_leaves_out_one_in_k_of_zipf_ids() -> None:
    count = 4_000_000
    rate = dropped(zipf(count), ONE_DOCUMENT, MIXED).mean()
    assert abs(rate - 0.02) < 4 * (0.02 * 0.98 / count) ** 0.5


def test_apertus_leaves_out_fewer_as_its_product_overflows() -> None:
    assert 0.015 < dropped(zipf(4_000_000), ONE_DOCUMENT, APERTUS).mean() < 0.0185


def test_gaps_between_labels_left_out_by_mixed_are_geometric() -> None:
    gaps = np.diff(np.flatnonzero(dropped(zipf(4_000_000), ONE_DOCUMENT, MIXED)))
    # P(gap > 200) = 0.98^200 = 0.0176; of 80,000 gaps.
    assert (gaps > 200).mean() == pytest.approx(0.98**200, rel=0.12)


def test_mixed_tells_apart_windows_in_another_order_which_apertus_does_not() -> None:
    tokens = zipf(20_000).reshape(-1, 50)
    ends = np.arange(49, 20_000, 50)
    starts = np.arange(0, 20_000, 50, dtype=np.int64)
    backwards = tokens[:, ::-1].reshape(-1)
    for section, same in ((APERTUS, True), (GoldfishSection(hash="mixed", k=2), False)):
        there = dropped(tokens.reshape(-1), starts, section)[ends]
        assert np.array_equal(there, dropped(backwards, starts, section)[ends]) is same


def test_k_of_one_leaves_out_every_whole_window() -> None:
    assert dropped(zipf(100), ONE_DOCUMENT, GoldfishSection(hash="mixed", k=1)).sum() == 51


@pytest.mark.parametrize("starts", [[1], [0, 5, 3], [0, 11], []], ids=["late", "back", "beyond", "none"])
def test_starts_that_make_no_sense_are_an_error(starts: list[int]) -> None:
    with pytest.raises(ValueError, match="starts must ascend from 0 to at most 10"):
        dropped(uint32(range(10)), np.array(starts, np.int64), MIXED)
