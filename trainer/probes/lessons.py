"""Documents from which a small model learns what the needle probes ask for, the simplest first.

To look a word up is one head that marks each word with the one before it, and one behind it that searches for the mark
(arXiv 2209.11895). With eight keys and eight values, two layers of width 64 had both after a million tokens, and found
one of eight in 95 % of cases; with sixty-four of each, two layers of width 128 after two million only knew which words
are values.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from lauter.trainer.probes.needle import fact, question
from lauter.trainer.probes.words import KEYS, VALUES

MOST_PAIRS = 8
MOST_FACTS = 24
"""With their questions some 400 tokens."""
PLACES = 32
"""Of words in a lesson of pairs, roughly: short ones give the clearest signal, as fewer words are in question."""


def pairs(encode: Callable[[str], list[int]], words: int, generator: random.Random) -> list[int]:
    """Ids of words without a text: two to sixteen over and over, or keys with their values, shuffled every time.

    Args:
        encode: text to ids, without BOS.
        words: how many of the keys and of the values are used, the first ones.
        generator: decides all that is left open.
    """
    keys, values = KEYS[:words], VALUES[:words]
    count = min(int(2 * (MOST_PAIRS / 2) ** generator.random()), words)
    shown: list[str] = []
    if generator.random() < 0.5:
        row = generator.choices([*keys, *values], k=2 * count)
        shown = row * max(2, PLACES // len(row))
    else:
        goes_with = list(zip(generator.sample(keys, count), generator.choices(values, k=count), strict=True))
        for _ in range(1 + max(1, PLACES // (2 * count))):
            shown += [word for pair in goes_with for word in pair]
            generator.shuffle(goes_with)
    return [index for word in shown for index in encode(f" {word}")]


def facts(
    encode: Callable[[str], list[int]], filler: Sequence[int], length: int, words: int, generator: random.Random
) -> list[int]:
    """At most `length` ids: facts anywhere in filler, and behind it one question for each, in an order of chance.

    One document in four has no filler, and some questions are only the fact again.

    Args:
        encode: text to ids, without BOS.
        filler: ids, repeated where they are too few. At least one.
        length: enough for one fact and its question at least.
        words: as in `pairs`.
        generator: decides all that is left open.
    """
    count = int((min(MOST_FACTS, words) + 1) ** generator.random())
    keys, values = KEYS[:words], VALUES[:words]
    goes_with = list(zip(generator.sample(keys, count), generator.choices(values, k=count), strict=True))
    told = [encode(fact(*pair)) for pair in goes_with]
    again = generator.random() < 0.25
    asked = [encode(fact(*pair) if again else f"{question(pair[0])} {pair[1]}.") for pair in goes_with]
    while sum(map(len, told)) + sum(map(len, asked)) > length:
        told.pop()
        asked.pop()
    generator.shuffle(asked)
    room = length - sum(map(len, told)) - sum(map(len, asked))
    if generator.random() < 0.25:
        room = 0
    elif generator.random() < 0.25:
        room = generator.randrange(room + 1)
    start = generator.randrange(len(filler))
    cuts = [0, *sorted(generator.randrange(room + 1) for _ in told), room]
    found: list[int] = []
    for number in range(len(cuts) - 1):
        found += [filler[(start + place) % len(filler)] for place in range(cuts[number], cuts[number + 1])]
        found += told[number] if number < len(told) else []
    return [*found, *(index for one in asked for index in one)]
