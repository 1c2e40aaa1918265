"""How many probes are answered right, whatever the layout of the model: one forward pass each.

The right answer stands in the input (teacher forcing), and each of its tokens must be the likeliest one there. That is
exact match of a greedy answer: as long as all tokens before were right, generation would have read the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lauter.trainer.batch import IGNORE, Batch, Bounds
from lauter.trainer.probes.probe import Probe, ProbeError

MOST = 1 << 15
"""Probes of one call: their numbers go with the places as int16."""

Hits = Callable[[Iterator[Batch]], Iterator[tuple[Batch, Tensor]]]
"""`Passes.token_hits`, or the same of a model alone."""


@dataclass(frozen=True, slots=True)
class Score:
    """Of all probes of one task, length and depth."""

    task: str
    length: int
    depth: float
    probes: int
    exact: float
    """Share whose whole answer is right."""
    tokens: float
    """Share of the answers' tokens that are right, each after the right ones before it."""


@dataclass(frozen=True, slots=True)
class Share:
    """Which of the batches a process computes: every one of `ranks`, from `rank` on."""

    rank: int = 0
    ranks: int = 1
    counts: bool = True
    """Whether what it finds is counted: ranks that share a tensor axis all find the same."""
    total: Callable[[list[float]], list[float]] = list
    """Sums over all processes."""


ALONE = Share()


def score(probes: Iterable[Probe], hits: Hits, *, tokens: int, share: Share = ALONE) -> list[Score]:
    """Ask a model, in batches of at most `tokens` places but of one probe at least.

    All ranks call it with the same probes; each gets the scores of all.

    Raises:
        ProbeError: more than `MOST` probes.
    """
    asked: list[tuple[str, int, float, int]] = []
    right = torch.zeros(MOST, dtype=torch.float64)
    for batch, found in hits(_batches(probes, asked, tokens, share)):
        if share.counts:
            due = batch.labels != IGNORE
            right += torch.bincount(batch.languages[due].long(), weights=found.cpu()[due].double(), minlength=MOST)
    counts = share.total(right[: len(asked)].tolist())
    rows = sorted(zip(asked, counts, strict=True), key=lambda row: row[0][:3])
    scores = []
    for (task, length, depth), some in groupby(rows, key=lambda row: row[0][:3]):
        found_of, due_of = (np.array(column) for column in zip(*((count, row[3]) for row, count in some), strict=True))
        exact = float((found_of == due_of).mean())
        scores.append(Score(task, length, depth, len(due_of), exact, float(found_of.sum() / due_of.sum())))
    return scores


def by_length(scores: Sequence[Score]) -> dict[str, dict[int, float]]:
    """Task -> length -> share of exact answers over all depths."""
    found: dict[str, dict[int, float]] = {}
    for (task, length), some in groupby(scores, key=lambda one: (one.task, one.length)):
        group = list(some)
        share = sum(one.exact * one.probes for one in group) / sum(one.probes for one in group)
        found.setdefault(task, {})[length] = share
    return found


def to_json(scores: Sequence[Score]) -> dict[str, Any]:
    """Task -> length -> `exact` and `tokens` over all depths, and `depths`: depth -> exact."""
    found: dict[str, Any] = {}
    for (task, length), some in groupby(scores, key=lambda one: (one.task, one.length)):
        group = list(some)
        probes = sum(one.probes for one in group)
        found.setdefault(task, {})[str(length)] = {
            "exact": sum(one.exact * one.probes for one in group) / probes,
            "tokens": sum(one.tokens * one.probes for one in group) / probes,
            "probes": probes,
            "depths": {f"{one.depth:g}": one.exact for one in group},
        }
    return found


def _batches(
    probes: Iterable[Probe], asked: list[tuple[str, int, float, int]], tokens: int, share: Share
) -> Iterator[Batch]:
    """This rank's, as many as every other's; what all ranks are asked goes into `asked`."""
    count, last = 0, None
    for group in _groups(probes, tokens):
        first = len(asked)
        asked += [(one.task, one.length, one.depth, one.answer) for one in group]
        if len(asked) > MOST:
            raise ProbeError(f"more than {MOST:,} probes: ask for fewer of each, or for fewer lengths")
        if count % share.ranks == share.rank:
            yield _batch(group, first)
        count, last = count + 1, group
    if last is not None and share.rank >= count % share.ranks > 0:
        # All ranks compute together: one without a batch of its own computes the last one, and nothing counts.
        yield _batch(last, None)


def _groups(probes: Iterable[Probe], tokens: int) -> Iterator[list[Probe]]:
    group: list[Probe] = []
    for one in probes:
        if group and (one.length != group[0].length or (len(group) + 1) * one.length > tokens):
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _batch(group: Sequence[Probe], first: int | None) -> Batch:
    """Probes one after the other, each a document; `languages` holds their numbers, from `first` on."""
    length = group[0].length
    ids = torch.tensor([one.ids for one in group])
    labels = torch.full((len(group), length), IGNORE)
    if first is not None:
        for row, one in enumerate(group):
            labels[row, length - one.answer :] = ids[row, -one.answer :]
    numbers = torch.arange(first or 0, (first or 0) + len(group), dtype=torch.int16)
    return Batch(
        ids[:, :-1].reshape(-1),
        labels.view(-1),
        torch.arange(length, dtype=torch.int32).repeat(len(group)),
        Bounds.of([length] * len(group)),
        numbers.repeat_interleave(length),
        int((labels != IGNORE).sum()),
        0,
    )
