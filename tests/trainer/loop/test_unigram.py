from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch

from lauter.trainer.batch import IGNORE, Batch, Bounds
from lauter.trainer.loop import unigram
from lauter.trainer.loop.unigram import entropy, unigram_entropy
from lauter.trainer.parallel.ranks import Ranks

ALONE = Ranks(0, 1, torch.device("cpu"))


def sample(labels: list[int]) -> Batch:
    length = len(labels)
    return Batch(
        tokens=torch.zeros(length, dtype=torch.int64),
        labels=torch.tensor(labels),
        positions=torch.arange(length, dtype=torch.int32),
        bounds=Bounds.of([length]),
        languages=torch.zeros(length, dtype=torch.int16),
        targets=sum(label != IGNORE for label in labels),
        goldfish_dropped=0,
    )


def test_labels_that_carry_loss_are_counted() -> None:
    batches = [sample([3, 3, IGNORE, 5]), sample([7, 3, IGNORE, IGNORE])]
    found = unigram_entropy(lambda numbers: batches[numbers[0]], 2, sequence_length=4, ids=9, ranks=ALONE)
    assert found == pytest.approx(-(0.6 * math.log(0.6) + 0.4 * math.log(0.2)), rel=1e-14)


@pytest.mark.parametrize("samples", [1, 7, 40, 41, 63, 64, 65, 100, 1001, 10**12])
def test_a_long_run_is_read_in_a_few_stretches_spread_evenly(monkeypatch: pytest.MonkeyPatch, samples: int) -> None:
    monkeypatch.setattr(unigram, "TOKENS", 64 * 4)
    asked: list[int] = []

    def batch_of(numbers: list[int]) -> Batch:
        asked.extend(numbers)
        return sample([1, 2, 3, 4])

    found = unigram_entropy(batch_of, samples, sequence_length=4, ids=5, ranks=ALONE)
    assert found == pytest.approx(math.log(4))
    assert asked == sorted(set(asked))
    assert set(asked) <= set(range(samples)) if samples < 10**6 else max(asked) < samples
    assert len(asked) <= 64
    assert len(asked) > min(samples, 64) - unigram.RUNS
    if samples <= 64:
        assert asked == list(range(samples))
    stretches = [number for before, number in pairwise([-2, *asked]) if number != before + 1]
    assert len(stretches) <= unigram.RUNS
    if samples > 1000:
        assert stretches == [run * samples // unigram.RUNS for run in range(unigram.RUNS)]


def test_ranks_read_each_stretch_once() -> None:
    asked: list[int] = []

    def batch_of(numbers: list[int]) -> Batch:
        asked.extend(numbers)
        return sample([1, 2, 3, 4])

    for rank in range(3):
        # The sum over ranks alone is left out: each is asked for its share.
        ranks = Ranks(rank, 3, torch.device("cpu"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Ranks, "sum", lambda _, values: list(values))
            unigram_entropy(batch_of, 50, sequence_length=4, ids=5, ranks=ranks)
    assert sorted(asked) == list(range(50))


def test_no_label_has_no_entropy() -> None:
    assert entropy(torch.zeros(5)) == 0.0
