"""Windows of pairs: both completions of a pair, each behind its prompt, as two documents of one window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from lauter.trainer.batch import IGNORE, Batch, Bounds, Completions

Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True, slots=True)
class PairBlock:
    """The pairs of a block. A document is a prompt with a completion: two of a pair follow each other."""

    tokens: NDArray[np.uint32]
    """Of all documents, one after the other."""
    offsets: NDArray[np.int64]
    """Where each document starts, and the end: shape (2 x pairs + 1,)."""
    answers: NDArray[np.int64]
    """Tokens of each completion, shape (2 x pairs,)."""
    rewards: NDArray[np.float64]
    """Quantile rewards, shape (2 x pairs,)."""
    reference: NDArray[np.float64]
    """Log-probabilities under the reference model, in nats; nan where they are not known yet. Shape (2 x pairs,)."""


def pair_lengths(table: pa.Table) -> NDArray[np.int64]:
    """Tokens of each pair, both prompts counted: shape (pairs,)."""
    prompt, chosen, rejected = (_lengths(table, name) for name in ("prompt_ids", "chosen", "rejected"))
    return 2 * prompt + chosen + rejected


def pair_block(table: pa.Table, reference: pa.Table | None) -> PairBlock:
    """From a block's files."""
    prompts, chosen, rejected = (table[name].to_pylist() for name in ("prompt_ids", "chosen", "rejected"))
    documents = [
        [*prompt, *answer]
        for prompt, one, other in zip(prompts, chosen, rejected, strict=True)
        for answer in (one, other)
    ]
    lengths = np.array([len(one) for one in documents], np.int64)
    return PairBlock(
        np.array([token for one in documents for token in one], np.uint32),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        _woven(_lengths(table, "chosen"), _lengths(table, "rejected")),
        _woven(*(table[f"{side}_quantile"].to_numpy() for side in ("chosen", "rejected"))),
        np.full(len(documents), np.nan)
        if reference is None
        else _woven(reference["chosen"].to_numpy(), reference["rejected"].to_numpy()),
    )


def pair_batch(windows: Sequence[Sequence[tuple[PairBlock, int]]], sequence_length: int, pad: int) -> Batch:
    """One micro-batch: for each window its pairs, as a block and the pair's number in it. What is left is padding.

    Labels are the completions' tokens alone; prompts and padding have none.
    """
    total = len(windows) * sequence_length
    tokens, labels = np.full(total, pad, np.int64), np.full(total, IGNORE, np.int64)
    positions, of = np.zeros(total, np.int32), np.full(total, -1, np.int64)
    lengths: list[int] = []
    known: list[tuple[float, float, int]] = []
    for number, pairs in enumerate(windows):
        at = number * sequence_length
        for block, pair in pairs:
            for document in (2 * pair, 2 * pair + 1):
                start, end = int(block.offsets[document]), int(block.offsets[document + 1])
                size, answer = end - start, int(block.answers[document])
                tokens[at : at + size] = block.tokens[start:end]
                positions[at : at + size] = np.arange(size)
                first, last = at + size - answer - 1, at + size - 1
                labels[first:last] = block.tokens[end - answer : end]
                of[first:last] = len(known)
                known.append((block.rewards[document], block.reference[document], answer))
                lengths.append(size)
                at += size
        left = (number + 1) * sequence_length - at
        if left:
            positions[at : at + left] = np.arange(left)
            lengths.append(left)
    columns = np.array(known, np.float64).reshape(-1, 3)
    return Batch(
        torch.from_numpy(tokens),
        torch.from_numpy(labels),
        torch.from_numpy(positions),
        Bounds.of(lengths),
        torch.full((total,), -1, dtype=torch.int16),
        int((labels != IGNORE).sum()),
        0,
        completions=Completions(
            of=torch.from_numpy(of),
            rewards=torch.from_numpy(columns[:, 0].copy()),
            reference=torch.from_numpy(columns[:, 1].copy()),
            lengths=torch.from_numpy(columns[:, 2].astype(np.int64)),
        ),
    )


def _lengths(table: pa.Table, name: str) -> NDArray[np.int64]:
    return np.array([len(one) for one in table[name].to_pylist()], np.int64)


def _woven(one: NDArray[Number], other: NDArray[Number]) -> NDArray[Number]:
    return np.stack([one, other], 1).reshape(-1)
