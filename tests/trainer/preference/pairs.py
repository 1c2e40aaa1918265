"""Micro-batches of pairs, made up, and what their loss is by autograd on whole logits."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor

from lauter.trainer.batch import IGNORE, Batch, Bounds, Completions
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.preference.terms import PreferenceLoss
from tests.trainer.parallel.proof import SHAPE

LENGTH = 32


def pairs(numbers: range) -> Batch:
    """Windows of 32 places by number: a pair in each, then padding."""
    tokens: list[int] = []
    labels: list[int] = []
    positions: list[int] = []
    lengths: list[int] = []
    of: list[int] = []
    answers: list[int] = []
    draw = random.Random(numbers.start)
    for index in range(len(numbers)):
        left = LENGTH
        for side in range(2):
            prompt, answer = draw.randrange(1, 5), draw.randrange(1, 10)
            ids = [draw.randrange(SHAPE.vocabulary) for _ in range(prompt + answer)]
            tokens += ids
            labels += [*([IGNORE] * (prompt - 1)), *ids[prompt:], IGNORE]
            of += [*([-1] * (prompt - 1)), *([2 * index + side] * answer), -1]
            positions += range(len(ids))
            lengths.append(len(ids))
            answers.append(answer)
            left -= len(ids)
        tokens += [0] * left
        labels += [IGNORE] * left
        of += [-1] * left
        positions += range(left)
        lengths.append(left)
    return Batch(
        torch.tensor(tokens),
        torch.tensor(labels),
        torch.tensor(positions, dtype=torch.int32),
        Bounds.of(lengths),
        torch.full((len(tokens),), -1, dtype=torch.int16),
        sum(label != IGNORE for label in labels),
        0,
        completions=Completions(
            of=torch.tensor(of),
            rewards=torch.tensor([draw.random() for _ in answers], dtype=torch.float64),
            # Near what a model without training gives: 4.5 nats a token.
            reference=torch.tensor([-4.5 * count + draw.random() for count in answers], dtype=torch.float64),
            lengths=torch.tensor(answers),
        ),
    )


def direct(model: Apertus, batches: Sequence[Batch], loss: PreferenceLoss) -> tuple[Tensor, Tensor]:
    """The mean loss of a step, to be differentiated through log-probabilities; and these, shape (n,)."""
    losses, found = [], []
    for batch in batches:
        assert batch.completions is not None
        logits = model(batch.tokens, batch.positions, batch.bounds).log_softmax(-1)
        here = (batch.labels != IGNORE).nonzero()[:, 0]
        tokens = logits[here, batch.labels[here]]
        own = batch.completions
        sums = torch.zeros(len(own.lengths), dtype=torch.float64).index_add(0, own.of[here], tokens)
        found.append(sums)
        losses.append(loss(sums, own).losses)
    return torch.cat(losses).mean(), torch.cat(found)
