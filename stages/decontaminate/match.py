"""N-grams of benchmark items and of documents as 64-bit numbers, and which of the former stand in the latter.

Words are those of `kernels.words`, in lower case and without punctuation; an n-gram w1 … wn of word hashes is the
number finish_hash(w1 * B**(n-1) + … + wn + kind) mod 2**64 with B = `hashing.GOLDEN`, rolled from word to word. With
40 million n-grams in an index, one in 5e11 n-grams of documents hits by chance.

An item of scripts without spaces counts its letters: two or three of them stand for a word (`kernels.quality`), so its
n-grams are two or three times as long. An item with fewer words than an n-gram has is one gram as a whole. There are
as many lengths of those as an n-gram has words, and a document is not to be looked through as often: the first `least`
words of such an item are in the index too, as a prefix, and only where one hits are the longer lengths tried.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.pipeline.schema import RATIO_SCALE
from lauter.stages.kernels.characters import UNSPACED, Integer, character_class, decode
from lauter.stages.kernels.hashing import GOLDEN
from lauter.stages.kernels.quality import IDEOGRAPHS_PER_WORD, SYLLABLES_PER_WORD, is_syllabic
from lauter.stages.kernels.words import DROP_PUNCTUATION, FOLD_CASE, finish_hash, next_word, word_hashes

FLAGS = FOLD_CASE | DROP_PUNCTUATION

NGRAM = 0
"""A run of n words of an item."""
WHOLE = 1
"""All words of an item that has fewer."""
PREFIX = 2
"""The first words of such an item; says nothing of itself."""

STRIDES = 3
"""A word is one word, two letters, or three letters."""

HITS = 1 << 20
"""Grams of items that are put in order at once, 8 MB: a form of words that stands in a million items has 33 million for
a document that holds forty words of it."""

_SIX = np.uint64(6)
_LOW_6 = np.uint64(63)
_ONE = np.uint64(1)
_UPPER = np.uint64(32)
_LOWER = np.uint64(0xFFFFFFFF)


@kernel
def letters_per_word(data: NDArray[np.uint8], start: Integer, end: Integer) -> int:
    """1, or 2 or 3 where most words of `data[start:end]` are letters of East or of South East Asian scripts."""
    words, east, south = 0, 0, 0
    position = start
    while True:
        first, position = next_word(data, position, end)
        if first == position:
            break
        words += 1
        if data[first] >= 0x80:
            code, _ = decode(data, first, position)
            if character_class(code) & UNSPACED:
                if is_syllabic(code):
                    south += 1
                else:
                    east += 1
    if 2 * (east + south) <= words:
        return 1
    return IDEOGRAPHS_PER_WORD if east >= south else SYLLABLES_PER_WORD


@kernel
def gram_key(words: NDArray[np.uint64], start: Integer, end: Integer, kind: int) -> np.uint64:
    """The number of the words [start, end) as a gram of some kind."""
    state = np.uint64(0)
    for index in range(start, end):
        state = state * GOLDEN + words[index]
    return finish_hash(state + np.uint64(kind))


@kernel
def item_sizes(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of each item the number of its words and its `letters_per_word`, shape (items, 2)."""
    sizes = np.empty((offsets.size - 1, 2), np.int64)
    for item in range(offsets.size - 1):
        sizes[item, 0] = word_hashes(data, offsets[item], offsets[item + 1], FLAGS).size
        sizes[item, 1] = letters_per_word(data, offsets[item], offsets[item + 1])
    return sizes


@kernel
def item_grams(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], sizes: NDArray[np.int64], ngram: int, least: int, total: int
) -> tuple[NDArray[np.uint64], NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint8]]:
    """Key, item, place (of the first word in the item) and kind of every gram; each of shape (grams,).

    `sizes` are those of `item_sizes`; `total` is at least the number of grams. An item of fewer than `least` words has
    none; `ngram` and `least` are multiplied with its letters per word.
    """
    key = np.empty(total, np.uint64)
    where = np.empty(total, np.uint32)
    place = np.empty(total, np.uint32)
    kind = np.empty(total, np.uint8)
    count = 0
    for item in range(offsets.size - 1):
        length, shortest = ngram * sizes[item, 1], least * sizes[item, 1]
        words = word_hashes(data, offsets[item], offsets[item + 1], FLAGS)
        if shortest <= words.size < length:
            key[count] = gram_key(words, 0, words.size, WHOLE)
            key[count + 1] = gram_key(words, 0, shortest, PREFIX)
            where[count : count + 2] = item
            place[count : count + 2] = 0
            kind[count], kind[count + 1] = WHOLE, PREFIX
            count += 2
        for first in range(words.size - length + 1):
            key[count] = gram_key(words, first, first + length, NGRAM)
            where[count], place[count], kind[count] = item, first, NGRAM
            count += 1
    return key[:count], where[:count], place[:count], kind[:count]


@kernel
def fill_filter(keys: NDArray[np.uint64], bits: NDArray[np.uint64], shift: int) -> None:
    """Set the bit of each key: the number of its upper 64 - `shift` bits."""
    for key in keys:
        bit = key >> np.uint64(shift)
        bits[bit >> _SIX] |= _ONE << (bit & _LOW_6)


@kernel
def rank_of(key: np.uint64, keys: NDArray[np.uint64], bits: NDArray[np.uint64], shift: int) -> int:
    """The place of a key among the sorted `keys`, or -1."""
    # One bit for each 1/16 of a key: fifteen of sixteen searches end here, in memory that the second cache holds.
    bit = key >> np.uint64(shift)
    if not bits[bit >> _SIX] >> (bit & _LOW_6) & _ONE:
        return -1
    low, high = 0, keys.size
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low if low < keys.size and keys[low] == key else -1


@kernel
def grams_of_text(
    words: NDArray[np.uint64],
    scans: NDArray[np.int64],
    keys: NDArray[np.uint64],
    bits: NDArray[np.uint64],
    shift: int,
    found: NDArray[np.uint64],
) -> tuple[NDArray[np.uint64], int]:
    """Grams of the index in a row of words: (place in the text << 32 | rank of the key), and how many.

    `scans`, shape (s, 3): length, kind, and for prefixes the first length that an item is an n-gram of. `found` is a
    buffer, which is returned, or a longer one.
    """
    count = 0
    for scan in range(len(scans)):
        length, kind, limit = scans[scan]
        room = max(limit - length, 1)
        outgoing = np.uint64(1)
        for _ in range(length):
            outgoing *= GOLDEN
        state = np.uint64(0)
        for index in range(words.size):
            state = state * GOLDEN + words[index]
            if index >= length:
                state -= outgoing * words[index - length]
            if index < length - 1:
                continue
            rank = rank_of(finish_hash(state + np.uint64(kind)), keys, bits, shift)
            if rank < 0:
                continue
            first = index - length + 1
            if count + room > found.size:
                longer = np.empty(2 * found.size + room, np.uint64)
                longer[:count] = found[:count]
                found = longer
            if kind == NGRAM:
                found[count] = np.uint64(first) << _UPPER | np.uint64(rank)
                count += 1
                continue
            for size in range(length, min(limit, words.size - first + 1)):
                rank = rank_of(gram_key(words, first, first + size, WHOLE), keys, bits, shift)
                if rank >= 0:
                    found[count] = np.uint64(first) << _UPPER | np.uint64(rank)
                    count += 1
    return found, count


@kernel
def find_grams(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    scans: NDArray[np.int64],
    keys: NDArray[np.uint64],
    bits: NDArray[np.uint64],
    shift: int,
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Ranks of the keys that stand in each text, each once and in the order of the text.

    Those of text i are `ranks[bounds[i]:bounds[i + 1]]`; returns `bounds`, shape (texts + 1,), and `ranks`.
    """
    bounds = np.zeros(offsets.size, np.int64)
    ranks = np.empty(1024, np.uint32)
    found = np.empty(1024, np.uint64)
    total = 0
    for text in range(offsets.size - 1):
        words = word_hashes(data, offsets[text], offsets[text + 1], FLAGS)
        found, count = grams_of_text(words, scans, keys, bits, shift, found)
        if count:
            hits = found[:count]
            # By rank, then place: the first place of each rank stays. Then by place.
            by_rank = np.sort(hits << _UPPER | hits >> _UPPER)
            kept = 0
            for index in range(count):
                if index == 0 or by_rank[index] >> _UPPER != by_rank[index - 1] >> _UPPER:
                    hits[kept] = by_rank[index] << _UPPER | by_rank[index] >> _UPPER
                    kept += 1
            first = np.sort(hits[:kept])
            if total + kept > ranks.size:
                longer = np.empty(2 * ranks.size + kept, np.uint32)
                longer[:total] = ranks[:total]
                ranks = longer
            for index in range(kept):
                ranks[total + index] = np.uint32(first[index] & _LOWER)
            total += kept
        bounds[text + 1] = total
    return bounds, ranks[:total]


@kernel
def first_at_least(values: NDArray[np.uint32], start: Integer, end: Integer, border: Integer) -> Integer:
    """The first place of the rising `values[start:end]` that has `border` or more, or `end`."""
    low, high = start, end
    while low < high:
        middle = (low + high) >> 1
        if values[middle] < border:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def ten_thousandths(part: Integer, whole: Integer) -> Integer:
    """`part / whole` in ten-thousandths, half to even."""
    found, rest = RATIO_SCALE * part // whole, RATIO_SCALE * part % whole
    return found + 1 if 2 * rest > whole or (2 * rest == whole and found % 2 == 1) else found


@kernel
def best_of_hits(
    hits: NDArray[np.uint64], sizes: NDArray[np.uint32], lengths: NDArray[np.uint32], best: NDArray[np.int64]
) -> None:
    """Put the best of some items into `best` (as in `best_items`), if it is better than what is there.

    `hits` are sorted: item << 32 | place, of all grams of these items that stand in a text.
    """
    index = 0
    while index < hits.size:
        item = np.int64(hits[index] >> _UPPER)
        length = min(np.int64(lengths[item]), np.int64(sizes[item]))
        first = np.int64(hits[index] & _LOWER)
        covered: Integer = 0
        end: Integer = 0
        while index < hits.size and np.int64(hits[index] >> _UPPER) == item:
            place = np.int64(hits[index] & _LOWER)
            covered += place + length - (end if end > place else place)
            end = place + length
            index += 1
        ratio = ten_thousandths(covered, np.int64(sizes[item]))
        if ratio > best[0]:
            best[0], best[1], best[2] = ratio, item, first


@kernel
def best_items(
    bounds: NDArray[np.int64],
    ranks: NDArray[np.uint32],
    starts: NDArray[np.int64],
    items: NDArray[np.uint32],
    places: NDArray[np.uint32],
    sizes: NDArray[np.uint32],
    lengths: NDArray[np.uint32],
    most: int,
) -> NDArray[np.int64]:
    """The item that each text holds most of: ratio, item, and the place of its first gram that hit; shape (texts, 3).

    The ratio is the share of the item's words that are part of a gram that stands in the text, in ten-thousandths,
    half to even; -1 without a gram. Of equal ratios the first item counts. The grams of key k are at
    `starts[k]:starts[k + 1]` of `items` and `places`, by item; `sizes` and `lengths` are the words of each item and of
    its grams. No more than `most` grams of items are held at once (8 bytes each), or those of one item: items are gone
    through in order, by ranges that have as many.
    """
    best = np.full((bounds.size - 1, 3), -1, np.int64)
    hits = np.empty(1024, np.uint64)
    for text in range(bounds.size - 1):
        own = ranks[bounds[text] : bounds[text + 1]]
        at = np.empty(own.size, np.int64)
        until = np.empty(own.size, np.int64)
        for index in range(own.size):
            at[index] = starts[own[index]]
        low, width = 0, sizes.size
        while own.size and low < sizes.size:
            while True:
                high = min(low + width, sizes.size)
                room: Integer = 0
                for index in range(own.size):
                    until[index] = first_at_least(items, at[index], starts[own[index] + 1], high)
                    room += until[index] - at[index]
                if room <= most or width == 1:
                    break
                width = (width + 1) // 2
            if room > hits.size:
                hits = np.empty(max(room, min(2 * hits.size, most)), np.uint64)
            size = 0
            for index in range(own.size):
                for hit in range(at[index], until[index]):
                    hits[size] = np.uint64(items[hit]) << _UPPER | np.uint64(places[hit])
                    size += 1
                at[index] = until[index]
            some = hits[:size]
            some.sort()
            best_of_hits(some, sizes, lengths, best[text])
            low = high
            width *= 2
    return best
