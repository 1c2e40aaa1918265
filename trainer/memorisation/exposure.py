"""Exposure of canaries: how far a planted random text stands out among those that might have been planted.

Carlini et al. (2019), The Secret Sharer, section 4: of all texts that a canary's form and alphabet allow, the canary's
rank by likelihood; log2 of their number, less log2 of the rank, is its exposure in bits. 0 is the last rank, and about
1.4 the mean of canaries that a model has never seen; the most is log2 of their number.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import torch

from lauter.pipeline.planting import Planted
from lauter.trainer.evaluate.likelihood import Request, likelihoods
from lauter.trainer.generate.tokenizer import TextTokenizer
from lauter.trainer.memorisation.skew_normal import fit, log2_below
from lauter.trainer.model.apertus import Apertus

REFERENCES = 1024
"""Texts that canaries of one form are ranked among: a rank tells 10 bits, what is beyond is extrapolated."""


@dataclass(frozen=True, slots=True)
class Exposed:
    """All canaries that were planted equally often: means over them, in bits."""

    repetitions: int
    canaries: int
    ranked: float
    """By rank among the references and the canary itself."""
    most: float
    """The highest that a rank can tell."""
    extrapolated: float | None
    """By a skew-normal distribution of the references' losses (section 4.3); none where all texts were ranked."""
    space: float
    """log2 of the number of possible texts: the most that there is."""
    first: int
    """How many are likelier than every reference."""

    def to_json(self) -> dict[str, Any]:
        """As the result holds it."""
        return {
            "canaries": self.canaries,
            "exposure": self.ranked,
            "most": self.most,
            "extrapolated": self.extrapolated,
            "space": self.space,
            "first": self.first,
        }


@dataclass(frozen=True, slots=True)
class _One:
    repetitions: int
    ranked: float
    most: float
    extrapolated: float | None
    space: float
    first: bool


def exposures(
    model: Apertus,
    planted: Iterable[Planted],
    tokenizer: TextTokenizer,
    *,
    references: int = REFERENCES,
    seed: int = 28,
) -> list[Exposed]:
    """Of every canary among the probes, by repetitions; of none where there is none.

    Where form and alphabet allow no more texts than `references`, the canary is ranked among all of them. Otherwise
    among so many that are drawn like canaries are, by SHAKE-256: the same for all canaries of one form.

    Raises:
        TokenizerError: a text can't become ids.
    """
    canaries = [(one, one.drawn) for one in planted if one.drawn is not None]
    found: list[_One] = []
    forms = sorted(canaries, key=lambda pair: _form(pair[0]))
    for (before, after, length, alphabet), some in groupby(forms, key=lambda pair: _form(pair[0])):
        group = list(some)
        space = length * math.log2(len(alphabet))
        whole = space <= math.log2(references)
        fills = _all(length, alphabet) if whole else _drawn(length, alphabet, references, seed)
        others = _losses(model, tokenizer, [before + fill + after for fill in fills])
        own = _losses(model, tokenizer, [one.text for one, _ in group])
        shape = None if whole else fit(others)
        for (one, drawn), loss in zip(group, own, strict=True):
            # Ties count against the canary, but not itself where chance drew it too.
            said = one.text[drawn.start : drawn.end]
            rivals = others[torch.tensor([fill != said for fill in fills])]
            rank = int((rivals <= loss).sum()) + 1
            most = math.log2(len(rivals) + 1)
            beyond = None if shape is None else min(-log2_below(loss, shape), space)
            found.append(_One(one.repetitions, most - math.log2(rank), most, beyond, space, rank == 1))
    found.sort(key=lambda one: one.repetitions)
    return [_mean(times, list(some)) for times, some in groupby(found, key=lambda one: one.repetitions)]


def _mean(repetitions: int, some: Sequence[_One]) -> Exposed:
    beyond = [one.ranked if one.extrapolated is None else one.extrapolated for one in some]
    return Exposed(
        repetitions,
        len(some),
        ranked=sum(one.ranked for one in some) / len(some),
        most=max(one.most for one in some),
        extrapolated=None if all(one.extrapolated is None for one in some) else sum(beyond) / len(some),
        space=max(one.space for one in some),
        first=sum(one.first for one in some),
    )


def _form(one: Planted) -> tuple[str, str, int, str]:
    """Text before and behind the random part, its length, its alphabet."""
    drawn = one.drawn
    assert drawn is not None
    return one.text[: drawn.start], one.text[drawn.end :], drawn.end - drawn.start, drawn.alphabet


def _all(length: int, alphabet: str) -> list[str]:
    return ["".join(signs) for signs in itertools.product(alphabet, repeat=length)]


def _drawn(length: int, alphabet: str, count: int, seed: int) -> list[str]:
    """Uniform to 2**-56, as canaries themselves are drawn; "references" keeps them apart from every bucket's."""
    digest = hashlib.shake_256(f"references/{seed}".encode()).digest(8 * length * count)
    places = np.frombuffer(digest, "<u8") % np.uint64(len(alphabet))
    return ["".join(alphabet[place] for place in row) for row in places.reshape(count, length).tolist()]


def _losses(model: Apertus, tokenizer: TextTokenizer, texts: Sequence[str]) -> torch.Tensor:
    """Nats of each whole text after BOS, fp64."""
    begin = 0 if tokenizer.bos is None else 1
    encoded = [tokenizer.encode(text) for text in texts]
    # Without BOS the first id can only be given: form and canary begin alike.
    requests = [Request(ids[: max(begin, 1)], ids[max(begin, 1) :]) for ids in encoded]
    return torch.tensor([-one.log for one in likelihoods(model, requests)], dtype=torch.float64)
