"""The same by the definition, in plain Python over words as strings: slow, and without a hash."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from lauter.stages.kernels import characters as ch
from lauter.stages.kernels.quality import is_syllabic
from tests.stages.kernels.test_words import CLASSES, LOWER, twin_words


class Best(NamedTuple):
    """Ratio in ten-thousandths, item, and place of its first gram that is in the document."""

    ratio: int
    item: int
    place: int


def folded_words(text: str) -> list[str]:
    """Words in lower case and without punctuation."""
    words = (
        "".join(chr(ord(char) + int(LOWER[ord(char)])) for char in word if not int(CLASSES[ord(char)]) & ch.PUNCTUATION)
        for word in twin_words(text)
    )
    return [word for word in words if word]


def letters_per_word(text: str) -> int:
    heads = [word[0] for word in twin_words(text)]
    unspaced = [char for char in heads if int(CLASSES[ord(char)]) & ch.UNSPACED]
    if 2 * len(unspaced) <= len(heads):
        return 1
    south = sum(bool(is_syllabic(ord(char))) for char in unspaced)
    return 2 if len(unspaced) - south >= south else 3


def grams_of(item: str, ngram: int, least: int) -> list[tuple[int, tuple[str, ...]]]:
    """(place, words) of each gram of an item."""
    words, stride = folded_words(item), letters_per_word(item)
    length = ngram * stride
    if least * stride <= len(words) < length:
        return [(0, tuple(words))]
    return [(first, tuple(words[first : first + length])) for first in range(len(words) - length + 1)]


def best_item(items: Sequence[str], text: str, ngram: int, least: int) -> Best | None:
    """The item that a text holds most of."""
    words = folded_words(text)
    found = None
    for number, item in enumerate(items):
        size, covered, first = len(folded_words(item)), set[int](), -1
        for place, gram in grams_of(item, ngram, least):
            if any(tuple(words[at : at + len(gram)]) == gram for at in range(len(words) - len(gram) + 1)):
                covered |= set(range(place, place + len(gram)))
                first = place if first < 0 else first
        # Python rounds fractions half to even.
        ratio = round(Fraction(10_000 * len(covered), max(size, 1)))
        if covered and (found is None or ratio > found.ratio):
            found = Best(ratio, number, first)
    return found


def grams_in_order(items: Sequence[str], text: str, ngram: int, least: int) -> list[tuple[str, ...]]:
    """The distinct grams of all items that stand in a text, by where they first do, at one place by their words."""
    words = folded_words(text)
    grams = {gram for item in items for _, gram in grams_of(item, ngram, least)}
    places = {}
    for gram in grams:
        for at in range(len(words) - len(gram) + 1):
            if tuple(words[at : at + len(gram)]) == gram:
                places[gram] = at
                break
    return sorted(places, key=lambda gram: (places[gram], gram))
