"""Log-likelihoods of continuations after their contexts: what every question without generation comes down to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from lauter.trainer.batch import Bounds
from lauter.trainer.generate.tokenizer import TextTokenizer
from lauter.trainer.model.apertus import Apertus

TOKENS = 1 << 14
"""Places of one pass, unless one request is longer."""


@dataclass(frozen=True, slots=True)
class Request:
    """Ids that are given and ids that are asked for, at least one of each."""

    context: Sequence[int]
    continuation: Sequence[int]

    @property
    def places(self) -> int:
        """What the model computes: the last id is only predicted."""
        return len(self.context) + len(self.continuation) - 1


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Of one continuation."""

    log: float
    """Natural logarithm of its probability after the context."""
    greedy: bool
    """Whether it is what greedy generation would say."""


def request(tokenizer: TextTokenizer, text: str, continuation: str) -> Request:
    """Both encoded together, as a corpus would have them, BOS in front.

    The continuation begins with the first id in which the whole differs from the text alone, and has one id at least.

    Raises:
        TokenizerError: the text can't become ids.
    """
    before, whole = tokenizer.encode(text), tokenizer.encode(text + continuation)
    same = next((place for place, (a, b) in enumerate(zip(before, whole, strict=False)) if a != b), len(before))
    start = max(min(same, len(whole) - 1), 1)
    return Request(whole[:start], whole[start:])


@torch.no_grad()
def likelihoods(model: Apertus, requests: Sequence[Request], *, tokens: int = TOKENS) -> list[Likelihood]:
    """One for each request, in their order: forward passes of at most `tokens` places, each request a document.

    Requests are computed in order of length, so that the result of one depends on the others in its last bits at most.

    Raises:
        ValueError: a context or a continuation is empty.
    """
    found: list[Likelihood | None] = [None] * len(requests)
    for numbers in _groups(requests, tokens):
        group = [requests[number] for number in numbers]
        for number, one in zip(numbers, _pass(model, group), strict=True):
            found[number] = one
    return [one for one in found if one is not None]


def _groups(requests: Sequence[Request], tokens: int) -> Iterator[list[int]]:
    for number, one in enumerate(requests):
        if not one.context or not one.continuation:
            raise ValueError(f"request {number + 1} has no context or no continuation: give at least one token of each")
    group: list[int] = []
    held = 0
    for number in sorted(range(len(requests)), key=lambda number: requests[number].places):
        if group and held + requests[number].places > tokens:
            yield group
            group, held = [], 0
        group.append(number)
        held += requests[number].places
    if group:
        yield group


def _pass(model: Apertus, group: Sequence[Request]) -> Iterator[Likelihood]:
    device = model.lm_head.weight.device
    ids = [[*one.context, *one.continuation] for one in group]
    bounds = Bounds.of([len(one) - 1 for one in ids]).to(device)
    tokens = torch.tensor([index for one in ids for index in one[:-1]], device=device)
    positions = torch.cat([torch.arange(len(one) - 1, dtype=torch.int32) for one in ids]).to(device)
    hidden = model.hidden_states(tokens, positions, bounds)
    # Only places that predict something asked for meet the vocabulary.
    starts = torch.tensor([0, *(len(one) - 1 for one in ids)]).cumsum(0)
    asked = torch.cat(
        [
            torch.arange(int(start) + len(one.context) - 1, int(start) + one.places)
            for start, one in zip(starts[:-1], group, strict=True)
        ]
    ).to(device)
    labels = torch.tensor([index for one in group for index in one.continuation], device=device)
    losses = model.lm_head.token_losses(hidden[asked], labels).double().cpu()
    hits = model.lm_head.token_hits(hidden[asked], labels).cpu()
    lengths = [len(one.continuation) for one in group]
    for loss, hit in zip(losses.split(lengths), hits.split(lengths), strict=True):
        yield Likelihood(-float(loss.sum()), bool(hit.all()))
