"""Substrings that come again, on token ids: every window of W ids that stood before is removed (Lee et al. 2022).

Lee et al. (Deduplicating Training Data Makes Language Models Better, arXiv 2107.06499, section 4.1) remove substrings
of 50 tokens that occur twice, found by a suffix array of the whole corpus, which takes 8 bytes a token in memory. Here
a run of documents is looked at that fits memory anyway, and what is found in it is exactly what its suffix array has:
repeats within the run and no others.

The rule: a window is W ids in a row of one document, none of them held (BOS, EOS and other control ids are). A window
goes, all its ids with it, where an equal window ends before it starts, in the order of the documents. So of equal
windows the first stays, a text that repeats itself without a gap keeps its first W ids, and what goes stands elsewhere.
What follows a cut may be a window that was not there before; it is not looked for.

Windows are found by a rolling 64-bit hash, put in buckets by its upper bits so that a bucket's table stays in the
cache, and compared id by id where hashes are equal: no collision removes anything or hides anything. Memory: 12 bytes a
window and 1 byte a token besides the ids and `held`; 0.11 GB for a run of 2**23 tokens.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2**64 divided by the golden ratio, made odd: the base of the rolling hash."""
_MIX_1 = np.uint64(0xFF51AFD7ED558CCD)
_MIX_2 = np.uint64(0xC4CEB9FE1A85EC53)
"""The multipliers of MurmurHash3's 64-bit finaliser (Appleby, public domain): a polynomial's upper bits alone are no
good buckets."""
_SHIFT = np.uint64(33)
_BUCKET_WINDOWS = 1 << 12
"""Windows aimed at in a bucket: 48 KB, and a table of 32 KB."""
_BUCKET_BITS = 11
"""Most buckets, 2,048: beyond some thousand places written to in turn, the address cache misses."""


def repeated_spans(
    tokens: NDArray[np.uint32], offsets: NDArray[np.int64], window: int, held: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Ranges of ids that go, shape (m, 2), half-open, rising, without overlap, each within one document.

    Args:
        tokens: the ids of n documents, shape (t,), t below 2**32.
        offsets: where each document starts and ends, shape (n + 1,), from 0 to t.
        window: W, at least 1.
        held: ids that are in no window, shape (t,).

    Raises `ValueError` for shapes that do not fit.
    """
    if window < 1 or held.shape != tokens.shape or len(tokens) >> 32 or not len(offsets) or offsets[-1] != len(tokens):
        raise ValueError(f"window {window}, {tokens.shape} tokens, {held.shape} held, offsets to {offsets[-1:]}")
    ends = _run_ends(offsets, held)
    counts = np.zeros(1 << _BUCKET_BITS, np.int64)
    windows = _count(ends, window)
    bits = 0
    while bits < _BUCKET_BITS and windows >> bits > _BUCKET_WINDOWS:
        bits += 1
    # One type of array for all callers: a kernel is compiled anew for ids that Arrow lends read-only.
    ids = tokens.view()
    ids.flags.writeable = False
    hashes, places = np.empty(windows, np.uint64), np.empty(windows, np.uint32)
    bounds = _scatter(ids, ends, window, bits, counts, hashes, places)
    again = np.zeros(len(tokens), np.bool_)
    _find(ids, window, bits, bounds, hashes, places, again)
    return _spans(again, window)


def shortened(
    tokens: NDArray[np.uint32], offsets: NDArray[np.int64], spans: NDArray[np.int64]
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Documents without some ranges of ids: ids, shape (t - removed,), and offsets, shape (n + 1,)."""
    step = np.zeros(len(tokens) + 1, np.int8)
    step[spans[:, 0]] += 1
    step[spans[:, 1]] -= 1
    stays = np.cumsum(step[:-1], dtype=np.int8) == 0
    left = np.concatenate([[0], np.cumsum(stays, dtype=np.int64)])
    return tokens[stays], left[offsets]


@kernel
def _run_ends(offsets: NDArray[np.int64], held: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Starts and ends of the runs of ids of one document that are not held, shape (r, 2)."""
    runs = np.empty((16, 2), np.int64)
    count = 0
    for document in range(len(offsets) - 1):
        start = offsets[document]
        for place in range(offsets[document], offsets[document + 1] + 1):
            if place < offsets[document + 1] and not held[place]:
                continue
            if place > start:
                if count == len(runs):
                    wider = np.empty((2 * count, 2), np.int64)
                    wider[:count] = runs
                    runs = wider
                runs[count, 0] = start
                runs[count, 1] = place
                count += 1
            start = place + 1
    return runs[:count]


@kernel
def _count(runs: NDArray[np.int64], window: int) -> int:
    """How many windows some runs have."""
    count = 0
    for run in range(len(runs)):
        count += max(0, runs[run, 1] - runs[run, 0] - window + 1)
    return count


@kernel
def _mix(value: np.uint64) -> np.uint64:
    """Mix all bits into all bits."""
    value = (value ^ (value >> _SHIFT)) * _MIX_1
    value = (value ^ (value >> _SHIFT)) * _MIX_2
    return value ^ (value >> _SHIFT)


@kernel
def _scatter(
    tokens: NDArray[np.uint32],
    runs: NDArray[np.int64],
    window: int,
    bits: int,
    counts: NDArray[np.int64],
    hashes: NDArray[np.uint64],
    places: NDArray[np.uint32],
) -> NDArray[np.int64]:
    """Write hash and place of every window, in order of bucket and then of place; returns where buckets begin.

    The bucket of a hash is its upper `bits` bits. Hashes are made twice, once to count the buckets: cheaper than a
    second copy of all of them.
    """
    outgoing = np.uint64(1)
    for _ in range(window):
        outgoing *= _GOLDEN
    buckets = 1 << bits
    bounds = np.zeros(buckets + 1, np.int64)
    for writing in range(2):
        if writing:
            for number in range(buckets):
                bounds[number + 1] = bounds[number] + counts[number]
                counts[number] = bounds[number]
        for run in range(len(runs)):
            start, end = runs[run, 0], runs[run, 1]
            if end - start < window:
                continue
            state = np.uint64(0)
            for place in range(start, end):
                state = state * _GOLDEN + np.uint64(tokens[place])
                first = place - window
                if first >= start:
                    state -= outgoing * np.uint64(tokens[first])
                first += 1
                if first < start:
                    continue
                value = _mix(state)
                bucket = np.int64(value >> np.uint64(64 - bits)) if bits else np.int64(0)
                if writing:
                    hashes[counts[bucket]] = value
                    places[counts[bucket]] = first
                counts[bucket] += 1
    return bounds


@kernel
def _find(
    tokens: NDArray[np.uint32],
    window: int,
    bits: int,
    bounds: NDArray[np.int64],
    hashes: NDArray[np.uint64],
    places: NDArray[np.uint32],
    again: NDArray[np.bool_],
) -> None:
    """Mark the first id of every window of which an equal one ended before; a bucket at a time, by open addressing."""
    table = np.zeros(16, np.int32)
    for bucket in range(len(bounds) - 1):
        begin, end = bounds[bucket], bounds[bucket + 1]
        slots_bits = 4
        while 1 << slots_bits < 2 * (end - begin):
            slots_bits += 1
        slots = 1 << slots_bits
        if slots > len(table):
            table = np.zeros(slots, np.int32)
        else:
            table[:slots] = 0
        for index in range(begin, end):
            value = hashes[index]
            slot = np.int64((value << np.uint64(bits)) >> np.uint64(64 - slots_bits))
            place = np.int64(places[index])
            while table[slot]:
                other = begin + table[slot] - 1
                if hashes[other] == value:
                    first = np.int64(places[other])
                    same = 0
                    while same < window and tokens[first + same] == tokens[place + same]:
                        same += 1
                    if same == window:
                        again[place] = first + window <= place
                        break
                slot = (slot + 1) & (slots - 1)
            if not table[slot]:
                table[slot] = index - begin + 1


@kernel
def _spans(again: NDArray[np.bool_], window: int) -> NDArray[np.int64]:
    """The windows that begin where `again` is set, joined where they overlap."""
    spans = np.empty((16, 2), np.int64)
    count = 0
    for place in range(len(again)):
        if not again[place]:
            continue
        if count and place < spans[count - 1, 1]:
            spans[count - 1, 1] = place + window
            continue
        if count == len(spans):
            wider = np.empty((2 * count, 2), np.int64)
            wider[:count] = spans
            spans = wider
        spans[count, 0] = place
        spans[count, 1] = place + window
        count += 1
    return spans[:count]
