"""Kernels: percent-encoding brought to one form, and the first rule that matches a target."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel

STEP_LIMIT = 50_000_000
"""Byte comparisons spent on one URL (about 40 ms) after which the file counts as unparsable. Of 1.5 million pairs of
2,834 real files and URLs of up to 2,000 bytes three needed over 1,000,000 and none 5,000,000. It bounds hostile
patterns (`/*a*a*a…$`) by a count, not by a clock, so that a rerun decides the same."""

NO_DENIAL = -1
"""No set of rules denies the target."""
OVER_LIMIT = -2
"""STEP_LIMIT was reached: nobody knows what the file says of this target."""


def _literal() -> NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    unreserved = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
    table[list(unreserved + b"!$&'()+,;=:@/?[]")] = 1
    return table


# RFC 3986 sections 2.2, 2.3: unreserved and reserved octets, save `*` (a wildcard in rules) and `#` (ends the target).
_LITERAL = _literal()
_HEX = np.frombuffer(b"0123456789ABCDEF", np.uint8)

NOTES = 65536 + 256
"""Size of the notes that `note_last` makes."""
# Comparisons on one text after which its pairs are noted (some 10 µs, for 256 KB of table): never for usual files.
NOTE_AFTER = 50_000


@kernel
def _nibble(c: int) -> int:
    if 48 <= c <= 57:
        return c - 48
    if 65 <= c <= 70:
        return c - 55
    if 97 <= c <= 102:
        return c - 87
    return -1


@kernel
def _encode(c: int, out: NDArray[np.uint8], at: int) -> int:
    out[at] = 37
    out[at + 1] = _HEX[c >> 4]
    out[at + 2] = _HEX[c & 15]
    return at + 3


@kernel
def canonicalise(
    data: NDArray[np.uint8], start: int, end: int, pattern: int, after_star: int, out: NDArray[np.uint8], at: int
) -> int:
    """Write data[start:end] in the one form in which rules and targets are compared; return the end in `out`.

    RFC 9309 section 2.2.2: an octet has the same meaning escaped or not, so unreserved and reserved octets are
    written plain and all others as `%XX` in upper case. `%2F` stays escaped before the first `?`, where `/` is a
    delimiter (RFC 3986 section 3.3), and is plain in the query, as the RFC's own table has it; an escaped `?` counts
    as one (so Google and Protego). `%2A` stays escaped, and a `*` is escaped unless `pattern` is 1. `after_star` 1
    says that text after a `*` of a pattern is in the query. `out` needs room for three times the input.
    """
    query = 0
    i = start
    while i < end:
        c = data[i]
        i += 1
        if c == 37 and i + 1 < end and _nibble(data[i]) >= 0 and _nibble(data[i + 1]) >= 0:
            value = _nibble(data[i]) * 16 + _nibble(data[i + 1])
            i += 2
            if _LITERAL[value] and (query == 1 or value != 47):
                if value == 63:
                    query = 1
                out[at] = value
                at += 1
            else:
                at = _encode(value, out, at)
        elif c == 42 and pattern == 1:
            query |= after_star
            out[at] = c
            at += 1
        elif _LITERAL[c] or c == 37:
            if c == 63:
                query = 1
            out[at] = c
            at += 1
        else:
            at = _encode(c, out, at)
    return at


@kernel
def unescape(data: NDArray[np.uint8], start: int, end: int, out: NDArray[np.uint8], at: int) -> int:
    """Write data[start:end] with every escape but `%2F` resolved, as the draft of 1996 (3.2.2) compares paths."""
    i = start
    while i < end:
        c = data[i]
        i += 1
        if c == 37 and i + 1 < end and _nibble(data[i]) >= 0 and _nibble(data[i + 1]) >= 0:
            value = _nibble(data[i]) * 16 + _nibble(data[i + 1])
            i += 2
            if value == 47:
                at = _encode(value, out, at)
            else:
                out[at] = value
                at += 1
        else:
            out[at] = c
            at += 1
    return at


@kernel
def rewrite_targets(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], legacy: int, out: NDArray[np.uint8], ends: NDArray[np.int64]
) -> None:
    """Every target in the form of `canonicalise` (`legacy` 0) or `unescape` (1); ends[i + 1] is where target i ends."""
    at = 0
    ends[0] = 0
    for i in range(len(offsets) - 1):
        if legacy:
            at = unescape(data, offsets[i], offsets[i + 1], out, at)
        else:
            at = canonicalise(data, offsets[i], offsets[i + 1], 0, 0, out, at)
        ends[i + 1] = at


@kernel
def _find_linear(
    pattern: NDArray[np.uint8], p: int, size: int, text: NDArray[np.uint8], t: int, t_end: int
) -> tuple[int, int]:
    """`find` by Knuth, Morris and Pratt (1977): at most 2 * (size + t_end - t) comparisons, whatever the bytes."""
    borders = np.zeros(size, np.int64)
    steps = size
    k = 0
    for i in range(1, size):
        while k > 0 and pattern[p + i] != pattern[p + k]:
            k = borders[k - 1]
            steps += 1
        if pattern[p + i] == pattern[p + k]:
            k += 1
        borders[i] = k
    k = 0
    for i in range(t, t_end):
        steps += 1
        while k > 0 and text[i] != pattern[p + k]:
            k = borders[k - 1]
            steps += 1
        if text[i] == pattern[p + k]:
            k += 1
        if k == size:
            return i - size + 1, steps
    return -1, steps


@kernel
def find(pattern: NDArray[np.uint8], p: int, size: int, text: NDArray[np.uint8], t: int, t_end: int) -> tuple[int, int]:
    """(where pattern[p:p + size] first stands in text[t:t_end], or -1; byte comparisons made).

    Where the first and the last byte fit at many places in vain (`/*aa…ba` in `aa…`), the linear search takes over.
    """
    last = t_end - size
    if size == 0 or t > last:
        return (t if t <= last else -1), 1
    head = pattern[p]
    tail = pattern[p + size - 1]
    vain = 0
    for i in range(t, last + 1):
        if text[i] == head and text[i + size - 1] == tail:
            k = 1
            while k < size and text[i + k] == pattern[p + k]:
                k += 1
            vain += k
            if k >= size:
                return i, i - t + vain
            if vain > 2 * (t_end - t):
                found, spent = _find_linear(pattern, p, size, text, i + 1, t_end)
                return found, i - t + vain + spent
    return -1, last + 1 - t + vain


@kernel
def note_last(text: NDArray[np.uint8], t: int, t_end: int, last: NDArray[np.int64]) -> None:
    """Note where each pair of bytes (a, b) last starts, at a * 256 + b, and each byte a last stands, at 65536 + a."""
    last[:] = -1
    for i in range(t, t_end):
        last[65536 + text[i]] = i
        if i + 1 < t_end:
            last[text[i] * 256 + text[i + 1]] = i


@kernel
def _absent(pattern: NDArray[np.uint8], p: int, size: int, t: int, last: NDArray[np.int64]) -> bool:
    """Whether the notes show that pattern[p:p + size] stands nowhere from t on."""
    if size == 1:
        return bool(last[65536 + pattern[p]] < t)
    for k in range(size - 1):  # noqa: SIM110 - numba compiles no generator expressions
        if last[pattern[p + k] * 256 + pattern[p + k + 1]] < t + k:
            return True
    return False


@kernel
def match(
    pattern: NDArray[np.uint8],
    p: int,
    p_end: int,
    anchored: int,
    text: NDArray[np.uint8],
    t: int,
    t_end: int,
    noted: int,
    last: NDArray[np.int64],
) -> tuple[int, int]:
    """(1 if pattern[p:p_end] matches text[t:t_end] else 0, byte comparisons made).

    `*` matches any run, everything else itself; the pattern is a prefix unless `anchored`. Leftmost matching of each
    piece between stars is enough, so time is linear: a few times length of pattern + length of text. If `noted` is 1,
    `last` holds the notes of this text (`note_last`), by which most patterns end without a look at it.
    """
    steps = 1
    while p < p_end and pattern[p] != 42:
        if t >= t_end or text[t] != pattern[p]:
            return 0, steps
        p += 1
        t += 1
        steps += 1
    if p == p_end:
        return (1 if not anchored or t == t_end else 0), steps
    while p < p_end:
        p += 1
        piece_end = p
        while piece_end < p_end and pattern[piece_end] != 42:
            piece_end += 1
        size = piece_end - p
        if anchored and piece_end == p_end:
            if t_end - size < t:
                return 0, steps
            t = t_end - size
            for k in range(size):
                steps += 1
                if text[t + k] != pattern[p + k]:
                    return 0, steps
            return 1, steps
        if noted == 1 and size > 0:
            steps += size
            if _absent(pattern, p, size, t, last):
                return 0, steps
        found, spent = find(pattern, p, size, text, t, t_end)
        steps += spent
        if found < 0:
            return 0, steps
        t = found + size
        p = piece_end
    return 1, steps


@kernel
def first_hit(
    start: int,
    end: int,
    paths: NDArray[np.int64],
    path_data: NDArray[np.uint8],
    anchored: NDArray[np.uint8],
    text: NDArray[np.uint8],
    t: int,
    t_end: int,
    limit: int,
    last: NDArray[np.int64],
) -> tuple[int, int]:
    """(the first of rules start:end that matches text[t:t_end], NO_DENIAL or OVER_LIMIT; comparisons made).

    Rule r has the path path_data[paths[r]:paths[r + 1]]. `last` is room for NOTES notes. At more than `limit`
    comparisons the search ends.
    """
    steps = 0
    noted = 0
    for r in range(start, end):
        if noted == 0 and steps > NOTE_AFTER:
            note_last(text, t, t_end, last)
            noted = 1
        hit, spent = match(path_data, paths[r], paths[r + 1], anchored[r], text, t, t_end, noted, last)
        steps += spent
        if steps > limit:
            return -2, steps
        if hit:
            return r, steps
    return -1, steps
