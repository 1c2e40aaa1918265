"""Which tokens of a micro-batch each rank of a context group has: two runs that mirror each other.

T tokens are cut into 2 x ranks equal chunks, and rank r has chunks r and 2 x ranks - 1 - r ("zig-zag", arXiv
2407.21783, section 3.3.2). Causal attention is then shared evenly, also where the micro-batch holds several windows of
length L: of two places that mirror each other one attends to x + 1 tokens of its window and the other to L - x.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from lauter.trainer.batch import IGNORE, Batch, Bounds, Earlier, Part
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.model.shape import ModelShape


def require_shares(section: ParallelSection, shape: ModelShape, tokens: int) -> None:
    """Whether micro-batches of so many tokens, and this model's heads, can be shared as the config asks.

    Raises:
        ValueError: the tokens can't be cut into equal chunks, or with "ulysses" the heads can't be dealt out.
    """
    if section.context == 1:
        return
    chunks = 2 * section.context
    shares = chunks * section.tensor if section.sequence else chunks
    if tokens % shares:
        of = f"2 x context ({section.context})" + (f" x tensor ({section.tensor})" if shares > chunks else "")
        raise ValueError(
            f"parallel.context: {tokens} tokens of a micro-batch (batch.micro x data.sequence_length) are no multiple "
            f"of {of} = {shares}; change one of these"
        )
    if section.context_kind != "ulysses":
        return
    # Where tensor ranks are more than heads of keys, each has one.
    heads, keys = shape.heads // section.tensor, max(shape.kv_heads // section.tensor, 1)
    if heads % section.context or (keys % section.context and section.context % keys):
        a_rank = f" a rank of parallel.tensor={section.tensor}" if section.tensor > 1 else ""
        raise ValueError(
            f"parallel.context_kind=ulysses: {heads} heads over {keys} of keys{a_rank} can't be dealt out to "
            f"{section.context} ranks: context must divide the heads, and divide those of keys or be a multiple of "
            "them; take all-gather or ring, or another parallel.context"
        )


def part_of(batch: Batch, rank: int, count: int) -> Batch:
    """What rank `rank` of `count` has of a micro-batch: T / count places; `bounds` stay those of the whole.

    Labels were shifted and chosen before, so that none depends on where the cut is. What Goldfish took out can't be
    told from other places without a label: all of it counts on rank 0. A single rank has the batch as it is.

    Raises:
        ValueError: T is no multiple of 2 x count.
    """
    if count == 1:
        return batch
    labels = take(batch.labels, rank, count)
    return Batch(
        tokens=take(batch.tokens, rank, count),
        labels=labels,
        positions=take(batch.positions, rank, count),
        bounds=Bounds(batch.bounds.cu_seqlens, batch.bounds.longest, _part(batch.bounds, rank, count)),
        languages=take(batch.languages, rank, count),
        targets=int((labels != IGNORE).sum()),
        goldfish_dropped=batch.goldfish_dropped if rank == 0 else 0,
        weights=None if batch.weights is None else take(batch.weights, rank, count),
        completions=None
        if batch.completions is None
        else replace(batch.completions, of=take(batch.completions.of, rank, count)),
    )


def take(whole: Tensor, rank: int, count: int) -> Tensor:
    """A rank's rows: (T, …) to (T / count, …).

    >>> take(torch.arange(8), 0, 2).tolist(), take(torch.arange(8), 1, 2).tolist()
    ([0, 1, 6, 7], [2, 3, 4, 5])
    """
    if len(whole) % (2 * count):
        raise ValueError(f"{len(whole)} tokens can't be cut into 2 x {count} equal chunks")
    chunks = whole.chunk(2 * count)
    return torch.cat((chunks[rank], chunks[-1 - rank]))


def in_order(parts: Tensor) -> Tensor:
    """The rows of all ranks, one rank after the other, in the order of the whole: (count, T / count, …) to (T, …)."""
    halves = parts.unflatten(1, (2, -1))
    return torch.cat((halves[:, 0], halves[:, 1].flip(0))).flatten(0, 1)


def by_rank(whole: Tensor, count: int) -> Tensor:
    """The other way round: (T, …) to (count, T / count, …)."""
    chunks = whole.unflatten(0, (2 * count, -1))
    return torch.stack((chunks[:count], chunks[count:].flip(0)), dim=1).flatten(1, 2)


def runs(tokens: int, rank: int, count: int) -> list[tuple[int, int]]:
    """Where a rank's tokens lie among all: [start, end) of each run. The last rank's two chunks meet in the middle.

    >>> runs(8, 0, 2), runs(8, 1, 2)
    ([(0, 2), (6, 8)], [(2, 6)])
    """
    chunk = tokens // (2 * count)
    first, second = rank * chunk, tokens - (rank + 1) * chunk
    if first + chunk == second:
        return [(first, second + chunk)]
    return [(first, first + chunk), (second, second + chunk)]


def _part(bounds: Bounds, rank: int, count: int) -> Part:
    ends: list[int] = bounds.cu_seqlens.tolist()
    tokens = ends[-1]
    lengths: list[int] = []
    earlier: list[Earlier] = []
    for start, stop in runs(tokens, rank, count):
        inside = [end for end in ends if start < end < stop]
        cuts = [start, *inside, stop]
        began = max(end for end in ends if end <= start)
        if began < start:
            here = sum(lengths)
            earlier.append(Earlier(slice(here, here + cuts[1] - start), slice(began, start)))
        lengths += [end - before for before, end in pairwise(cuts)]
    chunk = tokens // (2 * count)
    between = {place * chunk for place in range(1, 2 * count) if place != count}
    return Part(Bounds.of(lengths), tuple(earlier), crossing=not between <= set(ends))
