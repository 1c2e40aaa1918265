from __future__ import annotations

import math

import pytest
import torch

from lauter.trainer.batch import IGNORE, Batch, Bounds
from lauter.trainer.loop import unigram
from lauter.trainer.loop.unigram import unigram_entropy
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


def test_samples_of_a_long_run_are_spread_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unigram, "TOKENS", 16)
    asked: list[int] = []

    def batch_of(numbers: list[int]) -> Batch:
        asked.extend(numbers)
        return sample([1, 2, 3, 4])

    found = unigram_entropy(batch_of, 1001, sequence_length=4, ids=5, ranks=ALONE)
    assert asked == [0, 250, 500, 750]
    assert found == pytest.approx(math.log(4))
