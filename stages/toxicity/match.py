"""Counting what a word list hits in a text, straight from its UTF-8 bytes.

A text is a row of units, and so is a term of a list: words (longest runs of letters, marks and digits) in languages
that put spaces between words, single letters in those that do not. A term hits where its units follow one another; of
letters, only where the list's `Way` lets it begin and end. Words are compared as 64-bit hashes: with 7,000 terms a
false hit is expected once in 2.6e15 words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.toxicity.term_tables import BASIS, MAX_UNITS, NONE, Way, mix, slot

_RING = 32
"""Places for units: more than the longest term and the letter before it."""
_START, _KATAKANA, _CLUSTER = int(Way.START), int(Way.KATAKANA), int(Way.CLUSTER)


@kernel
def _decode(data: NDArray[np.uint8], at: int, end: int) -> tuple[np.int64, int]:
    """The code point at `at` and the bytes its first one promises."""
    lead = data[at]
    if lead < 0x80:
        return np.int64(lead), 1
    if lead >= 0xF0:
        width, point = 4, np.int64(lead & 0x07)
    elif lead >= 0xE0:
        width, point = 3, np.int64(lead & 0x0F)
    else:
        width, point = 2, np.int64(lead & 0x1F)
    for step in range(1, width):
        if at + step < end:
            point = (point << 6) | np.int64(data[at + step] & 0x3F)
    return point, width


@kernel
def are_joined(way: int, left: int, right: int) -> bool:
    """Whether no term may begin or end between two neighbouring letters."""
    if way == _KATAKANA:
        # U+30A1..U+30FA and the length and iteration marks; NFKC has made half-width letters full-width.
        return 0x30A1 <= left <= 0x30FE and left != 0x30FB and 0x30A1 <= right <= 0x30FE and right != 0x30FB
    if way == _CLUSTER:
        # Vowels and marks that follow their consonant, and the five vowels that are written before it.
        return (
            0xE30 <= right <= 0xE3A or 0xE45 <= right <= 0xE4E or (0xE40 <= left <= 0xE44 and 0xE01 <= right <= 0xE3A)
        )
    return False


@kernel
def _count(
    data: NDArray[np.uint8],
    begin: int,
    end: int,
    is_word: NDArray[np.bool_],
    terms: NDArray[np.uint64],
    lasts: NDArray[np.uint64],
    start: int,
    size: int,
    way: int,
    ring: NDArray[np.uint64],
    points: NDArray[np.int64],
    covered: NDArray[np.bool_],
) -> tuple[int, int, int]:
    """Units that are part of a hit, all units, and the different terms (0, 1, or 2 for more) of one text.

    `ring` holds the last `_RING` units, `points` their code points where they are letters, and `covered` which of them
    are part of a hit: a longer term that ends later may reach back over units between shorter ones. Of two terms that
    overlap only the one that holds the other counts as a term, or else the first.
    """
    by_letter = way != 0
    first = pending = NONE  # hashes of the first term, and of the last one while a longer may still take its place
    pending_start = pending_end = 0
    distinct = 0
    units = 0
    run = 0  # units that a term may reach back over
    hit = 0
    word = BASIS
    in_word = False
    at = begin
    while at <= end:
        part_of_word = False
        point = np.int64(0)
        if at < end:
            point, width = _decode(data, at, end)
            at += width
            part_of_word = bool(point < len(is_word) and is_word[point])
        else:
            at += 1
        closed = False
        if by_letter:
            if part_of_word:
                word = mix(BASIS, np.uint64(point))
                closed = True
            else:
                run = 0
        elif part_of_word:
            word = mix(word, np.uint64(point))
            in_word = True
        elif in_word:
            closed = True
            in_word = False
        if closed:
            ring[units % _RING] = word
            points[units % _RING] = point
            covered[units % _RING] = False
            units += 1
            run += 1
            value = mix(BASIS, word)
            if lasts[slot(lasts, start, size, value)] != NONE:
                longest = 0
                found = NONE
                reach = min(run, MAX_UNITS)
                following = _decode(data, at, end)[0] if by_letter and at < end else np.int64(0)
                if are_joined(way, int(point), int(following)):
                    reach = 0
                for back in range(1, reach + 1):
                    if terms[slot(terms, start, size, value)] != NONE:
                        if way == _START:
                            fits = back == run
                        else:
                            one, before = points[(units - back) % _RING], points[(units - 1 - back) % _RING]
                            fits = back == run or not are_joined(way, int(before), int(one))
                        if fits:
                            longest = back
                            found = value
                    if back < reach:
                        value = mix(value, ring[(units - 1 - back) % _RING])
                for back in range(longest):
                    if not covered[(units - 1 - back) % _RING]:
                        covered[(units - 1 - back) % _RING] = True
                        hit += 1
                if longest and (units - longest <= pending_start or units - longest >= pending_end):
                    if units - longest >= pending_end and pending != NONE:
                        distinct = 1 if first == NONE or (first == pending and distinct == 1) else 2
                        first = pending if first == NONE else first
                    pending, pending_start, pending_end = found, units - longest, units
            word = BASIS
    if pending != NONE:
        distinct = 1 if first == NONE or (first == pending and distinct == 1) else 2
    return hit, units, distinct


@kernel
def count_hits(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    lists: NDArray[np.int32],
    is_word: NDArray[np.bool_],
    terms: NDArray[np.uint64],
    lasts: NDArray[np.uint64],
    starts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    ways: NDArray[np.uint8],
    hits: NDArray[np.int64],
    units: NDArray[np.int64],
    distinct: NDArray[np.int64],
) -> None:
    """Count, for each text that has a list, the units in hits, all units, and the different terms.

    Args:
        data: UTF-8 bytes of all texts, lower-cased and normalised like the terms.
        offsets: Shape (n + 1,): text i is `data[offsets[i]:offsets[i + 1]]`.
        lists: Shape (n,): which list judges a text, -1 for none.
        is_word: `word_characters()`.
        terms: The fields of `Tables`, in their order.
        lasts: As above.
        starts: As above.
        sizes: As above.
        ways: As above.
        hits: Shape (n,): filled with the units that are part of a hit. A unit counts once.
        units: Shape (n,): filled with the units of the text.
        distinct: Shape (n,): filled with the number of different terms, 2 for more than one.
    """
    ring = np.zeros(_RING, np.uint64)
    points = np.zeros(_RING, np.int64)
    covered = np.zeros(_RING, np.bool_)
    for row in range(len(lists)):
        which = lists[row]
        if which >= 0:
            hits[row], units[row], distinct[row] = _count(
                data,
                offsets[row],
                offsets[row + 1],
                is_word,
                terms,
                lasts,
                starts[which],
                sizes[which],
                ways[which],
                ring,
                points,
                covered,
            )
