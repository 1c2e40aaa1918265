"""Sequences of many requests in one batch, each coming and going by itself.

A pass reads the next token of every sequence that speaks, and a piece of the prompt of every one that is new: who comes
late need not wait for the others to end (continuous batching, G. Yu et al., OSDI 2022, "iteration-level scheduling").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from numpy.random import Generator

from lauter.trainer.batch import Bounds
from lauter.trainer.generate.sample import choose
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.cache import KeyValueCache

PROMPT_TOKENS = 512
"""Of all prompts together that one pass reads: the others wait for no more than that between two of their tokens."""


@dataclass(eq=False)
class Speaker:
    """A sequence: what it continues, and how."""

    prompt: Sequence[int]
    """Token ids, BOS included."""
    temperature: float
    top_p: float
    chance: Generator
    """What it draws from (`sample.sources_of_chance`): nothing else in the batch changes it."""
    likely: int | None = None
    """With each token, how likely it was, and so many of the likeliest; None: neither."""
    pending: list[int] = field(init=False)
    """Tokens that the model has not read yet."""

    def __post_init__(self) -> None:
        self.pending = list(self.prompt)


class Spoken(NamedTuple):
    """One new token."""

    speaker: Speaker
    token: int
    logprob: float | None
    """Natural logarithm of its probability at temperature 1."""
    likeliest: tuple[tuple[int, float], ...]
    """Tokens and theirs, in descending order."""


class SpeakingBatch:
    """At most `sequences` speakers at once, each of `capacity` tokens at most, prompt and answer together."""

    def __init__(self, model: Apertus, sequences: int, capacity: int) -> None:
        weight = model.lm_head.weight
        self.capacity = capacity
        self.speakers: list[Speaker] = []
        self._sequences = sequences
        self._model = model
        self._cache = KeyValueCache(model.shape, sequences, capacity, device=weight.device, dtype=weight.dtype)
        self._cache.keep([])

    @property
    def free(self) -> int:
        """How many may be admitted."""
        return self._sequences - len(self.speakers)

    def check(self, prompt: Sequence[int]) -> None:
        """Refuse a prompt that can't be read: `ValueError` where it is empty, too long or of another vocabulary."""
        if not 0 < len(prompt) < self.capacity:
            raise ValueError(f"a prompt of {len(prompt)} tokens: from 1 to {self.capacity - 1} can be read")
        if not 0 <= min(prompt) <= max(prompt) < self._model.shape.vocabulary:
            raise ValueError(f"the prompt has an id outside the model's vocabulary of {self._model.shape.vocabulary}")

    def admit(self, speaker: Speaker) -> None:
        """Let one in; it speaks as soon as its prompt has been read.

        Raises:
            ValueError: nothing is free, or the prompt can't be read (`check`).
        """
        self.check(speaker.prompt)
        self._cache.admit()
        self.speakers.append(speaker)

    def dismiss(self, speakers: set[Speaker]) -> None:
        """Let some go, wherever they are."""
        rows = [row for row, one in enumerate(self.speakers) if one not in speakers]
        if len(rows) < len(self.speakers):
            self._cache.keep(rows)
            self.speakers = [self.speakers[row] for row in rows]

    @torch.no_grad()
    def step(self) -> list[Spoken]:
        """One pass of the model: a token of each speaker whose prompt has been read, in their order.

        Who has no room for another token must have been dismissed.
        """
        if not self.speakers:
            return []
        reading = sum(len(one.pending) > 1 for one in self.speakers)
        share = max(1, PROMPT_TOKENS // max(1, reading))
        parts = [one.pending[:share] for one in self.speakers]
        device = self._model.lm_head.weight.device
        bounds = Bounds.of([len(part) for part in parts]).to(device)
        tokens = torch.tensor([token for part in parts for token in part], device=device)
        hidden = self._model.hidden_states(tokens, self._cache.positions(bounds), bounds, self._cache)
        for one, part in zip(self.speakers, parts, strict=True):
            del one.pending[: len(part)]
        speaking = [row for row, one in enumerate(self.speakers) if not one.pending]
        if not speaking:
            return []
        last = bounds.cu_seqlens[1:].long() - 1
        logits = self._model.lm_head(hidden[last[speaking]])
        return [self._said(self.speakers[row], logits[place : place + 1]) for place, row in enumerate(speaking)]

    def _said(self, speaker: Speaker, logits: torch.Tensor) -> Spoken:
        (token,) = choose(logits, speaker.temperature, speaker.top_p, [speaker.chance.random()])
        speaker.pending.append(token)
        if speaker.likely is None:
            return Spoken(speaker, token, None, ())
        logprobs = torch.log_softmax(logits[0].float(), dim=-1)
        values, ids = logprobs.topk(speaker.likely) if speaker.likely else (logprobs[:0], logprobs[:0])
        likeliest = tuple((int(index), float(value)) for index, value in zip(ids, values, strict=True))
        return Spoken(speaker, token, float(logprobs[token]), likeliest)
