"""Entropy of the training tokens' frequencies: the loss of a model that knows nothing but how often each id comes."""

from __future__ import annotations

from collections.abc import Callable

import torch

from lauter.trainer.batch import IGNORE, Batch
from lauter.trainer.parallel.ranks import Ranks

TOKENS = 1 << 22
"""At most so many are counted: at 131,072 ids the entropy then comes out too low by 131,071 / 2^23 = 0.016 nats
(Miller 1955), and they are read in about two seconds."""


def unigram_entropy(
    batch_of: Callable[[list[int]], Batch], samples: int, *, sequence_length: int, ids: int, ranks: Ranks
) -> float:
    """Nats a token, over the labels of the first `samples` samples, or of as many evenly spread ones as `TOKENS` holds.

    Args:
        batch_of: Gives the batch of some samples by their numbers.
        samples: How many the run consumed.
        sequence_length: Places in a sample.
        ids: Size of the vocabulary.
        ranks: Each reads its share.
    """
    read = min(samples, max(1, TOKENS // sequence_length))
    counts = torch.zeros(ids, dtype=torch.int64)
    for index in range(ranks.rank, read, ranks.count):
        labels = batch_of([index * samples // read]).labels
        counts += torch.bincount(labels[labels != IGNORE], minlength=ids)
    total = torch.tensor(ranks.sum(counts.tolist()), dtype=torch.float64)
    shares = total[total > 0] / total.sum()
    return float(-(shares * shares.log()).sum())
