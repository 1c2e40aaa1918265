"""Which of a language's words are its stop words: frequent ones, as many as it takes that ordinary text has two.

FineWeb-2 (arXiv:2506.20920) takes the most frequent words of each language. Its 1,929 published lists have from 8 to 63
words. The rule here is made to the use: the quality rule wants two different ones in a text of at least 50 words
(Gopher, arXiv:2112.11446, section A.1.1).
"""

from __future__ import annotations

from collections.abc import Mapping

SHARE = 0.008
"""A word with this share of all words is one. FineWeb-2 seems to have chosen so: in the frequency lists of 59 of its
languages, the last word of its own list has a share of 0.78 % in the median."""
FEWEST, MOST = 8, 64
"""Gopher's list has 8 words; the kernel tells 64 apart."""
SHORTEST_TEXT = 50
"""Words of the shortest text that is judged (Gopher)."""
ENOUGH, TOO_FEW = 0.99, 0.9
"""Texts of 50 words that should have two stop words, and below which a language gets no list: its function words are
parts of others, and the rule would drop good text."""


def passing(shares: list[float], words: int = SHORTEST_TEXT) -> float:
    """Probability that a text of some words has two or more of the words with these shares, drawn independently."""
    none = max(0.0, 1.0 - sum(shares))
    one = sum((none + share) ** words - none**words for share in shares)
    return 1.0 - none**words - one


def stop_words(shares: Mapping[str, float]) -> tuple[str, ...] | None:
    """The stop words of a language, most frequent first, from each word's share; None where no list would do."""
    ranked = sorted(shares.items(), key=lambda item: (-item[1], item[0]))[:MOST]
    count = max(FEWEST, sum(share >= SHARE for _, share in ranked))
    values = [share for _, share in ranked]
    while count < len(ranked) and passing(values[:count]) < ENOUGH:
        count += 1
    if len(ranked) < FEWEST or passing(values[:count]) < TOO_FEW:
        return None
    return tuple(word for word, _ in ranked[:count])
