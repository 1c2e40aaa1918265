"""Entropy of tokens' frequencies: the loss of a model that knows nothing but how often each id comes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lauter.trainer.batch import IGNORE, Batch
from lauter.trainer.parallel.ranks import Ranks

TOKENS = 1 << 22
"""At most so many are counted: at 131,072 ids the entropy then comes out too low by 131,071 / 2^23 = 0.016 nats
(Miller 1955), and they are read in about two seconds."""

RUNS = 16
"""Samples are read in so many stretches: one by one over a long run, each would decode a row group for itself."""


def unigram_entropy(
    batch_of: Callable[[list[int]], Batch], samples: int, *, sequence_length: int, ids: int, ranks: Ranks
) -> float:
    """Nats a token, over the labels of the first `samples` samples; of evenly spread ones where `TOKENS` hold no more.

    Args:
        batch_of: Gives the batch of some samples by their numbers.
        samples: How many the run consumed.
        sequence_length: Places in a sample.
        ids: Size of the vocabulary.
        ranks: Each reads its share.
    """
    read = min(samples, max(1, TOKENS // sequence_length))
    counts = torch.zeros(ids, dtype=torch.int64)
    runs = min(RUNS, read)
    for run in range(ranks.rank, runs, ranks.count):
        first = run * samples // runs
        end = min((run + 1) * samples // runs, first + -(-read // runs))
        for number in range(first, end):
            counts += label_counts(batch_of([number]).labels, ids)
    return entropy(torch.tensor(ranks.sum(counts.tolist()), dtype=torch.float64))


def label_counts(labels: Tensor, ids: int) -> Tensor:
    """How often each id is a label that carries loss, shape (ids,)."""
    return torch.bincount(labels[labels != IGNORE], minlength=ids)


def entropy(counts: Tensor) -> float:
    """Of the frequencies that these counts are, in nats; 0 without any count."""
    shares = counts[counts > 0] / counts.sum()
    return -float((shares * shares.log()).sum())
