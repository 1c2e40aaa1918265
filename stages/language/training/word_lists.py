"""Chooses the words of each label's list (`evidence.lists`) from the training data.

A word's share in a label is that in its sources, by their weights: of the words of a list by their counts, where
training draws them by a power of these. Chosen are the words that say most, share times evidence. The share of a text's
words that a list misses is found in two ways, whose geometric mean is taken: by how many word types there are at all
(of a language with few, most words of a text are new), and by what the list leaves out of them. What a word of a
text is expected to speak for its label is the sum over the list of share times evidence, less the part that is new.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import Integer
from lauter.stages.language.evidence.lists import (
    HUNDREDTHS,
    MOST_BITS,
    SCALE,
    STEP,
    STEPS,
    Weights,
    WordLists,
    of_entries,
)
from lauter.stages.language.evidence.weigh import hash_text, key_of
from lauter.stages.language.fasttext.output import exponential, logarithm
from lauter.stages.language.training.held_out import WORDS
from lauter.stages.language.training.material import Items, Material
from lauter.stages.language.training.recipe import Words

_LEAST, _MOST = 0.05, 0.9
"""Bounds of the share of missing words by the number of types alone."""
_LEAST_EXPECTED = 0.05
"""Nats that a word of a text is expected to speak for its label at least: what it does is divided by it."""
_GAP = 60_000
"""Hashes have as many bits as keep the difference of two neighbours below this, of 16 bits."""


class _Shares(NamedTuple):
    """The shares of words in labels: entry i is word `hashes[i]` in label `labels[i]`."""

    hashes: NDArray[np.uint64]
    labels: NDArray[np.int64]
    share: NDArray[np.float64]


def choose_words(material: Material, recipe: Words, power_in_quarters: int) -> WordLists:
    """The lists of all labels; those of `UNSPACED` scripts have none.

    Args:
        material: What they are chosen from.
        recipe: How.
        power_in_quarters: That by which the material has the counts of lists (`recipe.Sampling`).

    Some 16 bytes for each word type of each label are held, 200 MB for the embedded model.
    """
    count = len(material.labels)
    shares = _shares(material, 4 / power_in_quarters)
    unique, word = np.unique(shares.hashes, return_inverse=True)
    mean = np.bincount(word, shares.share, len(unique)) / count
    ratio = shares.share / mean[word]
    types = np.bincount(shares.labels, minlength=count)
    new = np.empty(count)
    by_types(types, recipe.missing, recipe.missing_power, new)
    gain = np.empty(len(ratio))
    gains(ratio, new[shares.labels], gain)
    kept = _most_telling(shares, gain, recipe, material)
    covered = np.bincount(shares.labels[kept], shares.share[kept], count)
    missing = np.sqrt(new * (1 - (1 - new) * covered))
    whole = np.clip(np.rint(_logarithms(missing) * -HUNDREDTHS), 1, 300).astype(np.uint16)
    whole[types == 0] = 0
    gains(ratio[kept], _exponentials(whole.astype(np.float64) / -HUNDREDTHS)[shares.labels[kept]], gain := gain[kept])
    steps = np.minimum(np.rint(gain / STEP).astype(np.int64), STEPS)
    spoken = np.bincount(shares.labels[kept], shares.share[kept] * steps * STEP, count)
    expected = np.rint(np.maximum((1 - new) * spoken, _LEAST_EXPECTED) * HUNDREDTHS).astype(np.uint16)
    expected[types == 0] = 0
    weights = Weights(round(recipe.weight * SCALE) / SCALE, 0, 1, 0, 0)
    speaks = steps > 0
    keys, bits, first = _hashed(shares.hashes[kept][speaks], shares.labels[kept][speaks], steps[speaks])
    return of_entries(keys, steps[speaks][first].astype(np.uint8), bits, whole, expected, weights)


def _shares(material: Material, power: float) -> _Shares:
    items = material.items
    found = []
    for label in range(len(material.labels)):
        if items.unspaced[label]:
            continue
        hashes, shares, before = [], [], 0
        whole = int(items.shares[items.sources[label + 1] - 1])
        for source in range(items.sources[label], items.sources[label + 1]):
            first, last = int(items.first[source]), int(items.last[source])
            room = int((items.data[items.starts[first] : items.starts[last]] == ord(" ")).sum()) + last - first
            words, mass = np.empty(room, np.uint64), np.empty(room)
            filled = words_of(items, first, last, power if items.kinds[source] == WORDS else 1.0, words, mass)
            hashes.append(words[:filled])
            shares.append(mass[:filled] * ((int(items.shares[source]) - before) / whole / _sum(mass[:filled])))
            before = int(items.shares[source])
        unique, place = np.unique(np.concatenate(hashes), return_inverse=True)
        found.append((unique, np.full(len(unique), label), np.bincount(place, np.concatenate(shares), len(unique))))
    empty = (np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0))
    return _Shares(*(np.concatenate(column) for column in zip(empty, *found, strict=True)))


def _sum(values: NDArray[np.float64]) -> float:
    """In order, unlike numpy's, whose order is the machine's."""
    return float(np.bincount(np.zeros(len(values), np.int64), values)[0])


def _most_telling(shares: _Shares, gain: NDArray[np.float64], recipe: Words, material: Material) -> NDArray[np.intp]:
    """Entries of the lists, by label."""
    order = np.lexsort((shares.hashes, -(shares.share * gain), shares.labels))
    bounds = np.searchsorted(shares.labels[order], np.arange(len(material.labels) + 1))
    parts = [np.empty(0, np.intp)]
    for label, name in enumerate(material.labels):
        room = recipe.most_favoured if name in material.favoured else recipe.most
        parts.append(order[bounds[label] : min(bounds[label] + room, bounds[label + 1])])
    return np.concatenate(parts)


def _hashed(
    hashes: NDArray[np.uint64], labels: NDArray[np.int64], steps: NDArray[np.int64]
) -> tuple[NDArray[np.uint32], int, NDArray[np.intp]]:
    """The keys of entries in order, their bits, as many as the file takes, and which entries they are.

    Of two words with one hash it is the one that says more.
    """
    for bits in range(MOST_BITS, 0, -1):
        keys = np.empty(len(hashes), np.uint32)
        hash_entries(hashes, labels, bits, keys)
        order = np.lexsort((-steps, keys))
        first = np.ones(len(order), np.bool_)
        first[1:] = keys[order][1:] != keys[order][:-1]
        order = order[first]
        if not len(order) or np.diff(keys[order].astype(np.int64), prepend=0).max() < _GAP:
            break
    return keys[order], bits, order


def _logarithms(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([logarithm(value) for value in values.tolist()])


def _exponentials(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([exponential(value) for value in values.tolist()])


@kernel
def words_of(
    items: Items, first: Integer, last: Integer, power: float, hashes: NDArray[np.uint64], mass: NDArray[np.float64]
) -> int:
    """Find the words of the items `first` to `last`.

    Args:
        items: All.
        first: The first of a source.
        last: The one after its last.
        power: Counts are raised to it.
        hashes: Filled with those of the words (`evidence.weigh.hash_text`).
        mass: Filled with the counts.

    Returns:
        How many there are.
    """
    filled = 0
    for item in range(first, last):
        begin, end = items.starts[item], items.starts[item + 1]
        before = items.cumulative[item - 1] if item > first else np.uint64(0)
        drawn = exponential(power * logarithm(np.float64(items.cumulative[item] - before)))
        while begin < end:
            stop = begin
            while stop < end and items.data[stop] != 0x20:
                stop += 1
            if stop > begin:
                hash_text(items.data, begin, stop, hashes[filled : filled + 1])
                mass[filled] = drawn
                filled += 1
            begin = stop + 1
    return filled


@kernel
def by_types(types: NDArray[np.int64], factor: float, power: float, missing: NDArray[np.float64]) -> None:
    """Fill `missing`, shape (labels,), with factor * types^-power within 0.05 and 0.9; 1 where there is no type."""
    for label in range(types.size):
        missing[label] = 1.0
        if types[label]:
            share = factor * exponential(-power * logarithm(np.float64(types[label])))
            missing[label] = min(max(share, _LEAST), _MOST)


@kernel
def gains(ratio: NDArray[np.float64], missing: NDArray[np.float64], gain: NDArray[np.float64]) -> None:
    """Fill `gain` with what a word adds to the evidence beyond a missing one: ln((1 - m) ratio / m + 1)."""
    for entry in range(ratio.size):
        gain[entry] = logarithm((1 - missing[entry]) * ratio[entry] / missing[entry] + 1)


@kernel
def hash_entries(
    hashes: NDArray[np.uint64], labels: NDArray[np.int64], bits: Integer, keys: NDArray[np.uint32]
) -> None:
    """Fill `keys` with `key_of` of each word and label."""
    for entry in range(hashes.size):
        keys[entry] = key_of(hashes[entry], labels[entry], bits)
