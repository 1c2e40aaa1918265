"""Do planted texts come out again? Continuations of their prefixes, by how often they were planted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from lauter.trainer.evaluate.likelihood import Request, likelihoods
from lauter.trainer.generate.generate import generate
from lauter.trainer.memorisation.likeness import Likeness, likeness
from lauter.trainer.memorisation.passages import Passage
from lauter.trainer.model.apertus import Apertus

KNOWN_BY_HEART = 0.7
"""A Rouge-L from here on counts as recited: so Apertus told its 22 of 10,672 (arXiv 2509.14233, section 5.4)."""
SEQUENCES = 32
"""Generated at a time: at 5,000 tokens each, the cache of a model of 8 billion parameters takes 20 GB in bf16."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a model continues; the numbers of `generate.generate`."""

    name: str
    temperature: float
    top_p: float


GREEDY = Decoding("greedy", 0.0, 1.0)
NUCLEUS = Decoding("nucleus", 1.0, 0.9)
"""Apertus's (section 5.4)."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """All passages that were planted equally often, continued in one way: means over them."""

    decoding: str
    repetitions: int
    """0 for controls, which were never planted."""
    passages: int
    rouge_l: float
    run: float
    variety: float
    exact: float
    """Share that came out as planted, to the token."""
    recited: int
    """How many have a Rouge-L of `KNOWN_BY_HEART` or more."""
    loss: float
    """Nats a token of the planted suffix, whatever was generated."""
    reference_variety: float

    def to_json(self) -> dict[str, Any]:
        """As the result holds it."""
        return {
            "passages": self.passages,
            "rouge_l": self.rouge_l,
            "lccs": self.run,
            "ttr": self.variety,
            "exact": self.exact,
            "recited": self.recited,
            "loss": self.loss,
            "ttr_reference": self.reference_variety,
        }


def recall(
    model: Apertus,
    passages: Sequence[Passage],
    decodings: Sequence[Decoding],
    *,
    ends: frozenset[int],
    seed: int = 28,
    sequences: int = SEQUENCES,
) -> list[Bucket]:
    """Continue every passage's prompt by as many tokens as its suffix has, and compare.

    Args:
        model: on any device, in any dtype.
        passages: equally long suffixes need not be.
        decodings: each is tried on every passage.
        ends: ids that end a text: what is generated ends there.
        seed: of what is drawn; a passage draws the same whatever else is asked.
        sequences: passages of one batch.

    Raises:
        ValueError: prompt and suffix of a passage are more than the model's positions.
    """
    ordered = sorted(passages, key=lambda one: (one.repetitions, len(one.prompt) + len(one.suffix), one.id, one.offset))
    losses = [
        -one.log / len(passage.suffix)
        for one, passage in zip(
            likelihoods(model, [Request(one.prompt, one.suffix) for one in ordered]), ordered, strict=True
        )
    ]
    found = []
    for decoding in decodings:
        said = [
            one
            for first in range(0, len(ordered), sequences)
            for one in _continued(model, ordered[first : first + sequences], decoding, ends, seed)
        ]
        rows = zip(ordered, said, losses, strict=True)
        for repetitions, some in groupby(rows, key=lambda row: row[0].repetitions):
            found.append(_bucket(decoding, repetitions, list(some)))
    return found


def _continued(
    model: Apertus, group: Sequence[Passage], decoding: Decoding, ends: frozenset[int], seed: int
) -> list[list[int]]:
    said: list[list[int]] = [[] for _ in group]
    ended: set[int] = set()
    for sequence, token in generate(
        model,
        [list(one.prompt) for one in group],
        new_tokens=max(len(one.suffix) for one in group),
        temperature=decoding.temperature,
        top_p=decoding.top_p,
        seed=seed,
        eos=ends,
        ended=ended,
    ):
        if token in ends:
            continue
        said[sequence].append(token)
        if len(said[sequence]) == len(group[sequence].suffix):
            ended.add(sequence)
    return said


def _bucket(decoding: Decoding, repetitions: int, rows: Sequence[tuple[Passage, list[int], float]]) -> Bucket:
    likes: list[Likeness] = [likeness(said, passage.suffix) for passage, said, _ in rows]
    return Bucket(
        decoding.name,
        repetitions,
        len(rows),
        rouge_l=_mean([one.rouge_l for one in likes]),
        run=_mean([one.run for one in likes]),
        variety=_mean([one.variety for one in likes]),
        exact=_mean([float(one.exact) for one in likes]),
        recited=sum(one.rouge_l >= KNOWN_BY_HEART for one in likes),
        loss=_mean([loss for _, _, loss in rows]),
        reference_variety=_mean([len(set(passage.suffix)) / len(passage.suffix) for passage, _, _ in rows]),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
