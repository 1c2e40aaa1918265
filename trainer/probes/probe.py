"""A probe: a text of a given length, and the answer that it ends with."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lauter.trainer.probes.words import KEYS

NOISE = (
    " The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again. Morning comes, and the "
    "water runs under the old mill. Nobody is in a hurry today."
)
"""Filler where there is no text at hand: sentences over and over, as RULER's noise (arXiv 2404.06654, section 3.1)."""


class ProbeError(ValueError):
    """A probe can't be made as it is asked for; the message says why."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Everything that a model reads, and what it must say."""

    ids: tuple[int, ...]
    """BOS, text, question, answer: one more than `length`, as the last id is only predicted."""
    answer: int
    """How many of them, the last ones, are the answer."""
    task: str
    length: int
    """Places that the model computes."""
    depth: float
    """Where what is asked for stands: 0 at the beginning, 1 right before the question. Of a task that asks for
    several, of the first of them."""


@dataclass(frozen=True, slots=True)
class Source:
    """What probes are made of."""

    encode: Callable[[str], list[int]]
    """Text to ids, without BOS."""
    bos: int | None
    filler: NDArray[np.int64]
    """Ids of text that has nothing to do with the question; repeated where it is too short. At least one."""
    words: int = len(KEYS)
    """How many of the everyday words are keys, and how many values, the first ones: a small model knows few."""


def filled(
    source: Source,
    generator: random.Random,
    *,
    task: str,
    length: int,
    facts: Sequence[tuple[float, str]],
    question: str,
    answer: str,
    depth: float,
) -> Probe:
    """A probe of exactly `length` places: filler, with facts at their depths, then question and answer.

    Filler is a run of the source from anywhere, and a fact may cut a sentence of it in two.

    Raises:
        ProbeError: facts, question and answer alone are longer.
    """
    start = [] if source.bos is None else [source.bos]
    placed = [(at, source.encode(text)) for at, text in sorted(facts, key=lambda fact: fact[0])]
    ends, said = source.encode(question), source.encode(answer)
    fixed = len(start) + sum(len(ids) for _, ids in placed) + len(ends) + len(said)
    room = length + 1 - fixed
    if room < 0:
        raise ProbeError(f"task {task!r} takes {fixed - 1} tokens with this tokenizer, more than the length {length}")
    hay = _run(source.filler, generator.randrange(len(source.filler)), room)
    ids, done = start, 0
    for at, fact in placed:
        until = round(at * room)
        ids = [*ids, *hay[done:until], *fact]
        done = until
    return Probe((*ids, *hay[done:], *ends, *said), len(said), task, length, depth)


def _run(ids: NDArray[np.int64], start: int, count: int) -> list[int]:
    return [int(one) for one in np.take(ids, np.arange(start, start + count), mode="wrap")]
