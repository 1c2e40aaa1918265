"""What the words of a text say of a model's answer.

A model of n-grams is sure of a sister of a language that it does not know, and torn between two that it does. Lists of
words (`lists`) see what it does not: a text in a label's language has many words of its list, one in another language
few. For a label with list l and a text of n words, the evidence is a naive Bayes sum

    e = sum over words w of ln((1 - m) p(w | l) / b(w) + m)

where p is the word's share in the texts of l, b the mean of its shares in all labels, and m the share of the words that
the list misses; a word that it does not have adds ln m. What of it is known is k, the most words that the list of any
label in question has. First the mass of the most probable labels is divided anew among them, each in proportion to
p exp(w e k / n^1.5): words of one text say much the same, so the sum is divided by the root of n, and it counts for as
much as the share of words that is known. Then the probability of the best becomes that of being right at all, over
texts in languages that the model knows and that it does not: a logistic function of its log-odds, a n^(1/3) and
n^(1/3) (`training.confidence`). Here a is the agreement: what a word of the text speaks for the label in the mean,
e / n - ln m, of what a word of a text in it is expected to, at most 1. So the list of a language of many forms, of
whose words 700 are few, is asked for no more than it can give; and the same agreement says more of a long text. With
the square root, as of independent words, it says too much: the calibration error on the Declaration of Human Rights is
0.040, with the cube root 0.029. The others keep their ratios; what is missing to 1 is that of no label.

A label without a list, as of a script without spaces, takes part with e = 0, and keeps its probability if it is the
best. No result depends on the other texts of a batch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import Integer
from lauter.stages.kernels.words import FNV_OFFSET, FNV_PRIME
from lauter.stages.language.evidence.lists import STEP, WordLists
from lauter.stages.language.fasttext.output import exponential, logarithm

MOST_WORDS = 128
"""Words of a text that are looked at, the first: evidence grows with their root, and time with their number."""
MOST_LABELS = 16
LEAST = 2.0**-14
"""A label in question is at most so much less probable than the best: of long texts two or three labels are."""
_SURE = 1e-6
"""Probabilities are taken to be at least so far from 0 and 1."""
_SPACE = 0x20
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)  # MurmurHash3's finaliser
_HALF = np.uint64(33)


@kernel
def weigh(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], lists: WordLists, probabilities: NDArray[np.float32]
) -> None:
    """Change the probabilities of texts by the evidence of their words, in place.

    Args:
        data: Normalised texts.
        offsets: Shape (n + 1,): text i is `data[offsets[i]:offsets[i + 1]]`.
        lists: Of the model.
        probabilities: Shape (n, labels): the model's. A row of zeros stays one.
    """
    hashes, places = np.empty(MOST_WORDS, np.uint64), np.empty(MOST_LABELS, np.int64)
    evidence = np.empty(MOST_LABELS, np.float64)
    for text in range(probabilities.shape[0]):
        row = probabilities[text]
        words = hash_text(data, offsets[text], offsets[text + 1], hashes)
        at = divide(hashes, words, lists, row, places, evidence)
        if at < 0:
            continue
        best = places[at]
        if lists.missing[best] == 0:
            continue
        old = min(max(np.float64(row[best]), _SURE), 1 - _SURE)
        new = confidence(lists, old, agreement(lists, best, evidence[at], words), words)
        others = np.float32(min(new / old, (1 - new) / (1 - old)))
        for label in range(row.size):
            row[label] *= others
        row[best] = np.float32(new)


@kernel
def measure(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    lists: WordLists,
    probabilities: NDArray[np.float32],
    found: NDArray[np.float64],
) -> None:
    """Divide the mass of each text's labels anew, and say what `confidence` is made of.

    Args:
        data: Normalised texts.
        offsets: Shape (n + 1,).
        lists: Of the model.
        probabilities: Shape (n, labels): changed.
        found: Shape (n, 4), filled: best label, its probability, its `agreement`, words; all -1 where there is none.
    """
    hashes, places = np.empty(MOST_WORDS, np.uint64), np.empty(MOST_LABELS, np.int64)
    evidence = np.empty(MOST_LABELS, np.float64)
    for text in range(probabilities.shape[0]):
        words = hash_text(data, offsets[text], offsets[text + 1], hashes)
        at = divide(hashes, words, lists, probabilities[text], places, evidence)
        found[text] = -1
        if at >= 0:
            best = places[at]
            found[text, 0], found[text, 1] = best, probabilities[text, best]
            found[text, 2], found[text, 3] = agreement(lists, best, evidence[at], words), words


@kernel
def agreement(lists: WordLists, label: Integer, evidence: float, words: Integer) -> float:
    """What the words of a text speak for a label, of what those of a text in it are expected to: 0 to 1; 0: no list."""
    if lists.missing[label] == 0:
        return 0.0
    share: float = (evidence / words - lists.missing[label]) / lists.expected[label]
    return min(share, 1.0)


@kernel
def confidence(lists: WordLists, probability: float, agreed: float, words: Integer) -> float:
    """The probability that an answer is right, of its own, its `agreement` and the words that this rests on."""
    weights = lists.weights
    odds = weights.constant + weights.log_odds * (logarithm(probability) - logarithm(1 - probability))
    odds += (weights.agreement * agreed + weights.words) * exponential(logarithm(np.float64(words)) / 3)
    return 1 / (1 + exponential(-odds))


@kernel
def divide(
    hashes: NDArray[np.uint64],
    words: Integer,
    lists: WordLists,
    row: NDArray[np.float32],
    places: NDArray[np.int64],
    evidence: NDArray[np.float64],
) -> int:
    """Divide the mass of the labels in question anew among them.

    Args:
        hashes: Of the first words of a text (`hash_text`).
        words: How many.
        lists: Of the model.
        row: Shape (labels,): probabilities, changed.
        places: Shape (16,): filled with the labels in question, the most probable first.
        evidence: Shape (16,): filled with the evidence of each.

    Returns:
        Which of `places` is the best now, the first of its equals; -1 where there is no word or no label.
    """
    count = candidates(row, places)
    if words == 0 or count == 0:
        return -1
    most = 0
    for at in range(count):
        label = places[at]
        evidence[at] = words * lists.missing[label]
        if lists.missing[label] == 0:
            continue
        steps, known = 0, 0
        for word in range(words):
            step = step_of(lists, key_of(hashes[word], label, lists.bits))
            steps += step
            known += step > 0
        evidence[at] += steps * STEP
        most = max(most, known)
    factor = lists.weights.among * most / (words * np.sqrt(np.float64(words)))
    top, mass = -np.inf, 0.0
    best = 0
    for at in range(count):
        value = logarithm(np.float64(row[places[at]])) + factor * evidence[at]
        mass += row[places[at]]
        if value > top:
            top, best = value, at
    total = 0.0
    for at in range(count):
        total += exponential(logarithm(np.float64(row[places[at]])) + factor * evidence[at] - top)
    for at in range(count):
        share = exponential(logarithm(np.float64(row[places[at]])) + factor * evidence[at] - top) / total
        row[places[at]] = np.float32(mass * share)
    return best


@kernel
def candidates(row: NDArray[np.float32], places: NDArray[np.int64]) -> int:
    """Fill `places` with the most probable labels that are not too far below the best; returns how many."""
    most = np.float32(0)
    for label in range(row.size):
        most = max(most, row[label])
    least = max(most * np.float32(LEAST), np.float32(1e-30))
    count = 0
    for label in range(row.size):
        if row[label] < least:
            continue
        at = count
        while at > 0 and row[places[at - 1]] < row[label]:
            at -= 1
        if at == places.size:
            continue
        if count < places.size:
            count += 1
        for later in range(count - 1, at, -1):
            places[later] = places[later - 1]
        places[at] = label
    return count


@kernel
def hash_text(data: NDArray[np.uint8], start: Integer, end: Integer, hashes: NDArray[np.uint64]) -> int:
    """FNV-1a, in 64 bits, of the first words of the text `data[start:end]`; returns how many there are."""
    count = 0
    at = start
    while at < end and count < hashes.size:
        state = FNV_OFFSET
        first = at
        while at < end and data[at] != _SPACE:
            state = (state ^ np.uint64(data[at])) * FNV_PRIME
            at += 1
        if at > first:
            hashes[count] = state
            count += 1
        at += 1
    return count


@kernel
def key_of(word: np.uint64, label: Integer, bits: Integer) -> np.uint32:
    """The hash of a word (by its own) and a label, in `bits` bits."""
    state = word ^ (np.uint64(label + 1) * _SPREAD)
    state = (state ^ (state >> _HALF)) * _MIX_1
    state = (state ^ (state >> _HALF)) * _MIX_2
    return np.uint32(state >> np.uint64(64 - bits))


@kernel
def step_of(lists: WordLists, key: np.uint32) -> int:
    """What a word speaks for a label, in steps; 0 where its list does not have it."""
    place = np.int64(key >> np.uint32(lists.bits - lists.start_bits))
    for at in range(np.int64(lists.starts[place]), np.int64(lists.starts[place + 1])):
        if lists.keys[at] == key:
            return int(lists.steps[at])
    return 0
