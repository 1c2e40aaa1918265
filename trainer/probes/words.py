"""Words that probes ask for: two lists of everyday nouns, and made-up words without end."""

from __future__ import annotations

import random

_FIRST = (
    "apple bird boat bread bridge candle castle chair church clock cloud coat coin corn cow deer desk dog door drum "
    "egg farm fire fish flag flower fork fox frog garden gate glass goat gold grass hammer hat hill horse house iron "
    "island jar key king knife lake lamp leaf lemon lion map milk mirror moon mouse oak ocean onion orange owl paint "
    "paper pear"
)
_SECOND = (
    "pencil piano pig pilot plate plum pond pot prince queen rabbit rain ribbon rice ring river road rock roof room "
    "rope rose sail salt sand school sea seed shell ship shoe silk silver snow soap soup spoon star stone storm "
    "street sugar summer sun swan table tail tea tent tiger tower town train tree valley village violin wagon wall "
    "water wheel wind window wine"
)

KEYS, VALUES = _FIRST.split(), _SECOND.split()
"""Sixty-four each, so that no key is ever a value."""

_CONSONANTS, _VOWELS = "bdfghklmnprstvwz", "aeiou"


def made_up(generator: random.Random, count: int) -> list[str]:
    """So many different words of three syllables, of 512,000 that there are."""
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(generator.choice(_CONSONANTS) + generator.choice(_VOWELS) for _ in range(3))] = None
    return list(found)
