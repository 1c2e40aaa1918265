"""Kernels over the mapped index: the row of an origin, and the first rule that denies a target."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.optout.index.mapped import (
    ALLOW,
    ANCHORED,
    FIRST_MATCH,
    HEAD,
    HEAD_BYTES,
    ORIGIN,
    ORIGIN_DATA,
    ORIGIN_ID,
    PATH,
    PATH_DATA,
    RULES,
    SETS,
    SIGNAL,
    SINCE,
    SINCE_VALID,
)
from lauter.stages.optout.index.match import NOTE_AFTER, NOTES, canonicalise, match, note_last, unescape
from lauter.stages.optout.index.urls import OWN_FILE

NO_TIME = -(1 << 63)
"""As a time: the newest version."""

_MASKS = np.array([(1 << 8 * n) - 1 for n in range(9)], np.uint64)
# Rows on either side of where an id should be if ids were spread evenly: 2.8 standard deviations at 32,768 rows.
_NEAR = 256


@kernel
def _search(ids: NDArray[np.uint64], start: int, count: int, first: np.uint64, width: float, wanted: np.uint64) -> int:
    """The first of `count` ascending ids from `start` on that is not below `wanted`, counted from `start`.

    `first` and `width` say what range the ids are spread over: hashes are spread evenly, so the place is guessed.
    """
    low = 0
    high = count
    if count > 4 * _NEAR:
        guess = int((np.float64(wanted) - np.float64(first)) / width * count)
        near = max(0, guess - _NEAR)
        far = min(count, guess + _NEAR)
        if near < count and ids[start + near] < wanted:
            low = near + 1
        if far > low and far < count and ids[start + far] >= wanted:
            high = far
    while low < high:
        middle = (low + high) // 2
        if ids[start + middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def find_rows(
    data: NDArray[np.uint8],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    ids: NDArray[np.uint64],
    known: NDArray[np.bool_],
    times: NDArray[np.int64],
    at: NDArray[np.int64],
    rows: NDArray[np.int64],
    file_bytes: NDArray[np.uint8],
    file_int64: NDArray[np.int64],
    file_uint64: NDArray[np.uint64],
    out: NDArray[np.int64],
) -> None:
    """The row of each origin data[starts:ends] whose version is in force at a time, -1 where there is none.

    `times`: seconds since 1970, NO_TIME for the newest. `at`, `rows` and the views are those of `mapped.Mapped`.
    """
    batches = len(rows) - 1
    width = 18446744073709551616.0 / batches
    shift = 64
    n = batches
    while n > 1:
        n >>= 1
        shift -= 1
    for i in range(len(ids)):
        out[i] = -1
        if not known[i]:
            continue
        wanted = ids[i]
        if i > 0 and known[i - 1] and wanted == ids[i - 1] and times[i] == times[i - 1] and out[i - 1] >= 0:
            size = ends[i] - starts[i]
            same = ends[i - 1] - starts[i - 1] == size
            k = 0
            while same and k < size:
                same = data[starts[i] + k] == data[starts[i - 1] + k]
                k += 1
            if same:
                out[i] = out[i - 1]
                continue
        b = np.int64(0) if shift == 64 else np.int64(wanted >> np.uint64(shift))
        count = rows[b + 1] - rows[b]
        base = at[b, ORIGIN_ID]
        first = np.uint64(0) if shift == 64 else np.uint64(b) << np.uint64(shift)
        row = _search(file_uint64, base, count, first, width, wanted)
        names = at[b, ORIGIN]
        text = at[b, ORIGIN_DATA]
        while row < count and file_uint64[base + row] == wanted:
            start = file_int64[names + row]
            size = file_int64[names + row + 1] - start
            same = size == ends[i] - starts[i]
            k = 0
            while same and k < size:
                same = file_bytes[text + start + k] == data[starts[i] + k]
                k += 1
            if same:
                in_force = True
                if times[i] != NO_TIME:
                    valid = at[b, SINCE_VALID]
                    dated = valid < 0 or (file_bytes[valid + (row >> 3)] >> (row & 7)) & 1
                    in_force = not dated or file_int64[at[b, SINCE] + row] <= times[i]
                if in_force:
                    out[i] = rows[b] + row
            row += 1


@kernel
def _head(text: NDArray[np.uint8], size: int) -> np.uint64:
    """The (at most) eight bytes behind the first, the first of them the lowest."""
    value = np.uint64(0)
    for k in range(min(8, size - 1) - 1, -1, -1):
        value = value << np.uint64(8) | np.uint64(text[1 + k])
    return value


@kernel
def _first_hit(
    b: int,
    start: int,
    end: int,
    text: NDArray[np.uint8],
    size: int,
    head: np.uint64,
    limit: int,
    last: NDArray[np.int64],
    at: NDArray[np.int64],
    file_bytes: NDArray[np.uint8],
    file_int64: NDArray[np.int64],
    file_uint64: NDArray[np.uint64],
) -> tuple[int, int]:
    """`match.first_hit` over rules start:end of batch b, most of which are passed over by their first bytes."""
    heads = at[b, HEAD]
    head_bytes = at[b, HEAD_BYTES]
    paths = at[b, PATH]
    path_data = at[b, PATH_DATA]
    anchored = at[b, ANCHORED]
    steps = 0
    noted = 0
    for r in range(start, end):
        if (file_uint64[heads + r] ^ head) & _MASKS[file_bytes[head_bytes + r]]:
            steps += 1
            continue
        if noted == 0 and steps > NOTE_AFTER:
            note_last(text, 0, size, last)
            noted = 1
        hit, spent = match(
            file_bytes,
            path_data + file_int64[paths + r],
            path_data + file_int64[paths + r + 1],
            file_bytes[anchored + r],
            text,
            0,
            size,
            noted,
            last,
        )
        steps += spent
        if steps > limit:
            return -2, steps
        if hit:
            return r, steps
    return -1, steps


@kernel
def first_denials(
    which: NDArray[np.int64],
    batch: NDArray[np.int64],
    place: NDArray[np.int64],
    data: NDArray[np.uint8],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    marks: NDArray[np.uint8],
    skipped: NDArray[np.bool_],
    skipped_signal: int,
    rules: NDArray[np.int64],
    at: NDArray[np.int64],
    file_bytes: NDArray[np.uint8],
    file_int64: NDArray[np.int64],
    file_uint64: NDArray[np.uint64],
    limit: int,
    out: NDArray[np.int64],
) -> None:
    """For each of the places `which`, the rule (counted over the file) that denies it, or NO_DENIAL, or OVER_LIMIT.

    Place i has the row `place[i]` of batch `batch[i]`. The sets of a row are asked in order, the rules of a set too:
    the first that matches decides the set, and the first set that denies decides. Sets of the signal `skipped_signal`
    are passed over for places that are `skipped`. A robots.txt never denies itself (RFC 9309 section 2.2.2). Each kind
    of signal may cost `limit` comparisons, so that rules without end in one file hide nothing that another file says.
    """
    longest = 0
    for i in which:
        longest = max(longest, ends[i] - starts[i])
    canonical = np.empty(3 * longest, np.uint8)
    unescaped = np.empty(3 * longest, np.uint8)
    last = np.empty(NOTES, np.int64)
    for i in which:
        out[i] = -1
        b = batch[i]
        sets = at[b, SETS] + place[i]
        first_set = file_int64[sets]
        end_set = file_int64[sets + 1]
        if first_set == end_set:
            continue
        size = canonicalise(data, starts[i], ends[i], 0, 0, canonical, 0)
        head = _head(canonical, size)
        old_size = -1
        old_head = np.uint64(0)
        steps = 0
        over = before = np.int64(-1)
        for s in range(first_set, end_set):
            signal = np.int64(file_bytes[at[b, SIGNAL] + s])
            if signal == over or (skipped[i] and signal == skipped_signal) or (signal == 0 and marks[i] & OWN_FILE):
                continue
            if signal != before:
                steps = 0
                before = signal
            start = file_int64[at[b, RULES] + s]
            end = file_int64[at[b, RULES] + s + 1]
            if file_bytes[at[b, FIRST_MATCH] + s]:
                if old_size < 0:
                    old_size = unescape(data, starts[i], ends[i], unescaped, 0)
                    old_head = _head(unescaped, old_size)
                text = unescaped
                text_size = old_size
                text_head = old_head
            else:
                text = canonical
                text_size = size
                text_head = head
            hit, spent = _first_hit(
                b,
                start,
                end,
                text,
                text_size,
                text_head,
                limit - steps,
                last,
                at,
                file_bytes,
                file_int64,
                file_uint64,
            )
            steps += spent
            if hit == -2:
                out[i] = -2
                over = signal
                continue
            if hit >= 0 and not file_bytes[at[b, ALLOW] + hit]:
                out[i] = rules[b] + hit
                break


@kernel
def owners(
    batch: NDArray[np.int64],
    wanted: NDArray[np.int64],
    sets: NDArray[np.int64],
    at: NDArray[np.int64],
    file_int64: NDArray[np.int64],
    out: NDArray[np.int64],
) -> None:
    """The set, counted in its batch, that holds each rule; `wanted` are rules counted in their batch."""
    for i in range(len(wanted)):
        b = batch[i]
        base = at[b, RULES]
        low = 0
        high = sets[b + 1] - sets[b]
        while low + 1 < high:
            middle = (low + high) // 2
            if file_int64[base + middle] <= wanted[i]:
                low = middle
            else:
                high = middle
        out[i] = low


@kernel
def copy_ranges(
    data: NDArray[np.uint8], starts: NDArray[np.int64], sizes: NDArray[np.int64], out: NDArray[np.uint8]
) -> None:
    """Copy ranges of bytes one behind the other."""
    to = 0
    for i in range(len(starts)):
        for k in range(sizes[i]):
            out[to + k] = data[starts[i] + k]
        to += sizes[i]
