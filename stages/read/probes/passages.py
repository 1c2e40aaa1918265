"""Passages of a user's own text, dealt to buckets of known repetition counts, as memorisation probes.

After the Gutenberg probes of Apertus (technical report, section 3.2 and appendix F): the same number of passages for
each repetition count, and controls that are never planted. Passages do not overlap, are of equal length in words, and
are dealt to the buckets at random, so that no bucket is one book or one chapter.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

from lauter.stages.read.probes.entries import ProbeEntry

REPETITIONS = (0, 1, 2, 4, 8, 16, 32, 64, 128)
"""Controls, and powers of two up to the most that Apertus planted."""

_WORD = re.compile(r"\S+")


def passages(
    texts: Mapping[str, str], words: int, per_bucket: int, repetitions: Sequence[int] = REPETITIONS, seed: int = 0
) -> list[ProbeEntry]:
    """Probes of `words` words from texts by name, `per_bucket` for each of the `repetitions`, in order of the latter.

    Passage k of a text is `NAME:k`, from 1; its bucket is its number of repetitions. Raises ValueError where the texts
    have too few words.
    """
    cut = [(f"{name}:{number}", passage) for name, text in texts.items() for number, passage in _cut(text, words)]
    # A passage that comes again would be planted more often than it says.
    first = {passage: name for name, passage in reversed(cut)}
    wanted = per_bucket * len(repetitions)
    if len(first) < wanted:
        raise ValueError(
            f"the texts have {len(first):,} different passages of {words:,} words, and {len(repetitions)} buckets of "
            f"{per_bucket:,} need {wanted:,}: give more text, or fewer words a passage"
        )
    drawn = sorted(first.items(), key=lambda item: hashlib.sha256(f"{seed}/{item[1]}".encode()).digest())[:wanted]
    return [
        ProbeEntry(id=name, text=passage, repetitions=times, kind="passage", bucket=str(times))
        for place, times in enumerate(repetitions)
        for passage, name in drawn[place * per_bucket : (place + 1) * per_bucket]
    ]


def _cut(text: str, words: int) -> list[tuple[int, str]]:
    """Runs of `words` words from the beginning on, spaced as they are; what is left at the end is no passage."""
    spans = [found.span() for found in _WORD.finditer(text)]
    starts = range(0, len(spans) - words + 1, words)
    return [
        (number, text[spans[first][0] : spans[first + words - 1][1]]) for number, first in enumerate(starts, start=1)
    ]
