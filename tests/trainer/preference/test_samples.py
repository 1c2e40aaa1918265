"""Windows of pairs: every pair once an epoch, whole, with labels on its completions alone."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from lauter.pipeline.storage import Storage
from lauter.trainer.batch import IGNORE
from lauter.trainer.data.errors import DataError, UnfitError
from lauter.trainer.preference.folder import block_path, read_block, write_block
from lauter.trainer.preference.samples import PairSamples

LENGTH, BLOCKS, PAD = 64, 3, 0
Pair = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]


def made(folder: Path, *, reference: bool = True) -> tuple[Storage, list[Pair]]:
    """Blocks of pairs with ids that tell them apart; of a block in the middle there are none."""
    storage, draw, every = Storage(str(folder)), random.Random(5), []
    for block in range(BLOCKS):
        rows: list[dict[str, object]] = []
        lengths: list[tuple[int, int]] = []
        for number in range(0 if block == 1 else 9):
            prompt = [1, *[100 * block + 10 + number] * draw.randrange(1, 6)]
            chosen, rejected = ([draw.randrange(400, 500) for _ in range(draw.randrange(1, 9))] for _ in range(2))
            every.append((tuple(prompt), tuple(chosen), tuple(rejected)))
            lengths.append((len(chosen), len(rejected)))
            rows.append(
                {
                    "prompt": number,
                    "prompt_ids": prompt,
                    "chosen": chosen,
                    "rejected": rejected,
                    "chosen_quantile": 1.0,
                    "rejected_quantile": 0.25,
                    "chosen_reward": 2.0,
                    "rejected_reward": 1.0,
                }
            )
        write_block(storage, "pairs", block, rows)
        if reference:
            known = [{"chosen": -float(one), "rejected": -2.0 * other} for one, other in lengths]
            write_block(storage, "reference", block, known)
    return storage, every


def samples(storage: Storage, seed: int = 1) -> PairSamples:
    return PairSamples(storage, "identity", BLOCKS, sequence_length=LENGTH, seed=seed, pad=PAD)


def pairs_of(found: PairSamples, numbers: range) -> list[Pair]:
    """Read back from batches of two windows, all of which is checked on the way."""
    every: list[Pair] = []
    for first in range(numbers.start, numbers.stop, 2):
        batch = found.batch(range(first, min(first + 2, numbers.stop)))
        known = batch.completions
        assert known is not None
        ends = batch.bounds.cu_seqlens.tolist()
        assert set(range(0, len(batch.tokens) + 1, LENGTH)) <= set(ends)
        assert batch.targets == int((batch.labels != IGNORE).sum()) == int(known.lengths.sum())
        assert torch.equal(known.of >= 0, batch.labels != IGNORE)
        documents: dict[int, tuple[list[int], int]] = {}
        for start, end in itertools.pairwise(ends):
            assert batch.positions[start:end].tolist() == list(range(end - start))
            labelled = [place for place in range(start, end) if batch.labels[place] != IGNORE]
            if not labelled:
                assert batch.tokens[start:end].eq(PAD).all()
                continue
            # The last tokens of a document, each predicted from the place before it.
            assert labelled == list(range(labelled[0], end - 1))
            assert batch.labels[labelled].tolist() == batch.tokens[labelled[0] + 1 : end].tolist()
            (one,) = set(known.of[labelled].tolist())
            assert int(known.lengths[one]) == len(labelled)
            documents[one] = (batch.tokens[start:end].tolist(), len(labelled))
        assert sorted(documents) == list(range(len(known.lengths)))
        for one in range(0, len(documents), 2):
            (better, size), (worse, other) = documents[one], documents[one + 1]
            assert better[:-size] == worse[:-other]
            assert known.rewards[one : one + 2].tolist() == [1.0, 0.25]
            assert known.reference[one : one + 2].tolist() == [-size, -2.0 * other]
            every.append((tuple(better[:-size]), tuple(better[-size:]), tuple(worse[-other:])))
    return every


def test_an_epoch_has_every_pair_once(tmp_path: Path) -> None:
    storage, every = made(tmp_path)
    found = samples(storage)
    assert found.pairs == len(every) == 18
    first = pairs_of(found, range(found.epoch))
    assert Counter(first) == Counter(every)
    second = pairs_of(found, range(found.epoch, 2 * found.epoch))
    assert Counter(second) == Counter(every)
    assert pairs_of(samples(storage), range(found.epoch)) == first
    other = samples(storage, seed=2)
    assert pairs_of(other, range(other.epoch)) != first
    assert found.epochs(found.epoch) == {"pairs": 1.0}
    assert found.continues(samples(storage).order, 3)
    assert not found.continues(other.order, 3)


def test_windows_of_a_block_are_those_of_an_epoch(tmp_path: Path) -> None:
    storage, _ = made(tmp_path)
    found = samples(storage)
    windows = found.block_windows(0)
    assert sorted(pair for window in windows for pair in window) == list(range(9))
    assert found.block_windows(1) == []
    behind = found.block_batch(0, range(len(windows) - 1, len(windows) + 1))
    assert behind.completions is not None
    assert len(behind.completions.lengths) == 2 * len(windows[-1])
    assert behind.tokens[LENGTH:].eq(PAD).all()


def test_pairs_are_not_learnt_from_before_the_reference_is_known(tmp_path: Path) -> None:
    storage, _ = made(tmp_path, reference=False)
    found = samples(storage)
    with pytest.raises(DataError, match=r"reference/00000.parquet: is missing"):
        found.batch([0])
    rows = read_block(storage, "pairs", 0)
    write_block(storage, "reference", 0, [{"chosen": -1.0, "rejected": -1.0}] * len(rows))
    found.forget()
    assert found.batch([0]).completions is not None


def test_what_can_not_be_read_is_told(tmp_path: Path) -> None:
    storage, _ = made(tmp_path)
    (tmp_path / block_path("pairs", 2)).write_bytes(b"no Parquet")
    with pytest.raises(DataError, match=r"pairs/00002.parquet: can't be read"):
        samples(storage)
    write_block(storage, "rewards", 0, [{"prompt": 0, "rewards": list(np.zeros(2))}])
    (tmp_path / block_path("pairs", 2)).write_bytes((tmp_path / block_path("rewards", 0)).read_bytes())
    with pytest.raises(DataError, match="has other columns"):
        samples(storage)
    storage, _ = made(tmp_path)
    write_block(storage, "reference", 0, [{"chosen": -1.0, "rejected": -1.0}])
    with pytest.raises(DataError, match=r"reference/00000.parquet: has 1 rows for 9 pairs"):
        samples(storage).batch([0])
    for block in range(BLOCKS):
        write_block(storage, "pairs", block, [])
    with pytest.raises(UnfitError, match="no prompt has two completions"):
        samples(storage)
