"""The pairs of kinds of words that follow one another in a text, and a linear model of them.

A text's features are the kinds that it has and has twice, the first and the last of them, pairs by how far apart they
are, how many words there are and how many of them have a kind. A feature counts once a text, and is a place in a short
table: nothing is hashed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.classifier.model import read_only
from lauter.stages.kernels.characters import Integer
from lauter.stages.toxicity.kinds import KINDS, Kinds

_REACH, _NEAR, _NEXT = 8, 5, 2
"""Pairs are of a word and the next eight that have a kind; how far apart is told in words: any, five, two."""
_N = len(KINDS)
_TWICE, _PAIRS = _N, 2 * _N
_FIRST = _PAIRS + 3 * _N * _N
_LAST = _FIRST + _N
_WORDS = _LAST + _N
_KNOWN = _WORDS + 6
FEATURES = _KNOWN + 7
"""Kinds, kinds that are there twice, pairs by distance, the first and the last kind, how many words, how many known."""
_NONE = np.uint32(0)
_ONE = np.uint32(1)


class KindModel(NamedTuple):
    """A linear model, as `classifier.model.Classifier`.

    logit = bias + scale * (sum of weight * rarity over a text's features) / (root of the sum of rarity squared).
    """

    rarities: NDArray[np.int16]
    """Shape (FEATURES,), in sixteenths of a nat, plus one."""
    weights: NDArray[np.int16]
    """Shape (FEATURES,)."""
    scale: float
    bias: float

    def noted(self) -> dict[str, Any]:
        """Plain data, for the notes of a classifier."""
        return {
            "rarities": self.rarities.tolist(), "weights": self.weights.tolist(), "scale": self.scale,
            "bias": self.bias,
        }  # fmt: skip

    @staticmethod
    def of_notes(notes: Mapping[str, Any]) -> KindModel:
        """From what `noted` gave."""
        rarities, weights = (np.array(notes[name], np.int16) for name in ("rarities", "weights"))
        return KindModel(read_only(rarities), read_only(weights), float(notes["scale"]), float(notes["bias"]))


@kernel
def find_pairs(
    kinds: NDArray[np.uint32],
    start: Integer,
    end: Integer,
    followed: NDArray[np.uint32],
    places: NDArray[np.int64],
    found: NDArray[np.int32],
) -> int:
    """Fill `found` with the features of a text's words, `kinds[start:end]`, each once; how many there are.

    Args:
        kinds: Of `take_kinds`.
        start: The text's first word.
        end: Its end.
        followed: Room of shape (3, kinds).
        places: Room for as many places as the text has words.
        found: Room for `FEATURES`.
    """
    known = 0
    once, twice = _NONE, _NONE
    followed[:] = _NONE
    for place in range(start, end):
        if kinds[place]:
            places[known] = place
            known += 1
            twice |= once & kinds[place]
            once |= kinds[place]
    for one in range(known):
        near, next_to, any_of = _NONE, _NONE, _NONE
        for other in range(one + 1, min(one + 1 + _REACH, known)):
            bits = kinds[places[other]]
            apart = places[other] - places[one]
            any_of |= bits
            if apart <= _NEAR:
                near |= bits
            if apart <= _NEXT:
                next_to |= bits
        own = kinds[places[one]]
        for kind in range(_N):
            if own >> np.uint32(kind) & _ONE:
                followed[0, kind] |= any_of
                followed[1, kind] |= near
                followed[2, kind] |= next_to
    count = 0
    first = kinds[places[0]] if known else _NONE
    last = kinds[places[known - 1]] if known else _NONE
    for kind in range(_N):
        bit = np.uint32(kind)
        if once >> bit & _ONE:
            found[count] = kind
            count += 1
            if twice >> bit & _ONE:
                found[count] = _TWICE + kind
                count += 1
            if first >> bit & _ONE:
                found[count] = _FIRST + kind
                count += 1
            if last >> bit & _ONE:
                found[count] = _LAST + kind
                count += 1
            for far in range(3):
                following = followed[far, kind]
                if following:
                    for other in range(_N):
                        if following >> np.uint32(other) & _ONE:
                            found[count] = _PAIRS + (far * _N + kind) * _N + other
                            count += 1
    size = end - start
    length = 0
    while size > 0 and length < 5:
        size >>= 1
        length += 1
    found[count] = _WORDS + length
    found[count + 1] = _KNOWN + min(known, 6)
    return count + 2


@kernel
def add_up_pairs(
    kinds: NDArray[np.uint32],
    bounds: NDArray[np.int64],
    rarities: NDArray[np.int16],
    weights: NDArray[np.int16],
    scale: float,
    bias: float,
    out: NDArray[np.float64],
) -> None:
    """Fill `out`, shape (n,), with the logits; the other arguments as for `take_kinds` and `KindModel`."""
    followed, found = np.empty((3, _N), np.uint32), np.empty(FEATURES, np.int32)
    places = np.empty(np.max(np.diff(bounds)) if bounds.size > 1 else 0, np.int64)
    for text in range(bounds.size - 1):
        count = find_pairs(kinds, bounds[text], bounds[text + 1], followed, places, found)
        total, square = np.int64(0), np.int64(0)
        for place in range(count):
            rare = np.int64(rarities[found[place]])
            square += rare * rare
            total += np.int64(weights[found[place]]) * rare
        length = np.sqrt(np.float64(square)) if square else 1.0
        out[text] = bias + scale * np.float64(total) / length


def kind_logits(model: KindModel, found: Kinds) -> NDArray[np.float64]:
    """The logits of texts, shape (n,)."""
    out = np.empty(len(found.bounds) - 1)
    add_up_pairs(found.kinds, found.bounds, *model, out)
    return out
