"""The prefilter: one linear pass over the UTF-8 buffer that finds where personal data can stand.

Every recogniser here needs something rare: an at sign, a dotted quad, a colon between hexadecimal digits, two capitals
before two digits, twelve digits in a row, a plus before a digit. The kernel looks for those alone and gives each a
*window*: the longest run of bytes that could belong to one match. The recognisers then read windows, never pages, so a
clean page costs one look at each of its bytes. A window is never cut inside a run, so a recogniser sees in it exactly
what it would see in the page.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.pii import marks
from lauter.stages.pii.key_blocks import BLOCK, blocks

EMAIL, IPV4, IPV6, IBAN, CARD, CRYPTO, PLUS, NUMBER, IDENTIFIER = range(9)
"""Kinds of window. PLUS is a telephone number with its country code, NUMBER one without, IDENTIFIER a national id."""

_DIGIT, _UPPER, _LOWER, _LOCAL, _DOMAIN, _HEX, _DIAL = (np.uint8(1 << bit) for bit in range(7))
_ALPHANUMERIC = np.uint8(_DIGIT | _UPPER | _LOWER)


def _byte_classes() -> NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    for classes, members in (
        (_DIGIT | _LOCAL | _DOMAIN | _HEX | _DIAL, b"0123456789"),
        (_UPPER | _LOCAL | _DOMAIN, bytes(range(65, 91))),
        (_LOWER | _LOCAL | _DOMAIN, bytes(range(97, 123))),
        (_HEX, b"abcdefABCDEF"),
        (_LOCAL, b"!#$%&'*+-/=?^_`{|}~."),
        (_DOMAIN, b"-._"),
        (_DIAL, b" ()+-./[]~x"),
        (_LOCAL | _DOMAIN | _DIAL, bytes(range(128, 256))),
    ):
        table[np.frombuffer(members, np.uint8)] |= np.uint8(classes)
    return table


_CLASS = _byte_classes()

# Constants that the kernel reads stand in this file: the cached machine code is as old as the file.
IBAN_LENGTH = 34
"""The longest IBAN, in characters without separators (ISO 13616-1)."""
PHONE_DIGITS = 7
"""Shorter numbers are not looked for: the plans of Germany and Austria allow four digits, which is a year."""
PHONE_GAP = 12
"""Bytes between two digits of a telephone number: four signs of punctuation of three bytes each."""
PHONE_BYTES = 96
"""A telephone number has at most 15 digits (ITU-T E.164); the rest is room for punctuation."""
CARD_DIGITS = 12
"""Primary account numbers have 12 to 19 digits here (ISO/IEC 7812-1 allows 8 to 19)."""
IDENTIFIER_DIGITS, IDENTIFIER_CAPITALS = 6, 6
"""Digits of a format of `national_id`, or capitals beside four or five digits (India's, and Italian codes with letters
in place of digits): no years."""
CRYPTO_LENGTH = 26


@kernel
def _next_trigger(data: NDArray[np.uint8], position: int, end: int) -> int:
    """The first digit, colon, plus or at sign in data[position:end], or `end`.

    A function of its own: inside the large one the same loop ran at 92 MB/s instead of 1,600.
    """
    while position < end:
        byte = data[position]
        if np.uint8(byte - np.uint8(48)) <= 10 or byte == 64 or byte == 43:
            return position
        position += 1
    return end


@kernel
def scan(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    wanted: int,
    limit: int,
    beyond: NDArray[np.bool_],
    skipped: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], int]:
    """Windows as rows (kind, document, start, end), in order of discovery, and how many there are.

    A document that turns out to have more than `limit` is left at once, without windows, and marked in `beyond`: sixty
    megabytes of short addresses would else take a gigabyte of windows.
    """
    out = np.empty((256, 4), np.int64)
    count = 0
    for row in range(offsets.size - 1):
        if skipped[row]:
            continue
        before = count
        begin, end = offsets[row], offsets[row + 1]
        colon_until = card_until = identifier_until = number_until = escape_from = escape_until = begin
        i = begin
        while True:
            i = _next_trigger(data, i, end)
            if i == end or count - before > limit:
                break
            byte = data[i]
            # Room for every window that one position can give.
            if count + 8 > out.shape[0]:
                grown = np.empty((out.shape[0] * 2, 4), np.int64)
                grown[:count] = out[:count]
                out = grown
            if byte == 64:  # "@"
                if wanted & (1 << EMAIL):
                    left = i
                    while left > begin and _CLASS[data[left - 1]] & _LOCAL:
                        left -= 1
                    right = i + 1
                    dots = 0
                    while right < end and _CLASS[data[right]] & _DOMAIN:
                        dots += data[right] == 46
                        right += 1
                    if left < i and dots:
                        out[count] = (EMAIL, row, left, right)
                        count += 1
                i += 1
                continue
            if byte == 58:  # ":"
                if wanted & (1 << IPV6) and i >= colon_until:
                    left = i
                    while left > begin and (_CLASS[data[left - 1]] & _HEX or data[left - 1] == 58):
                        left -= 1
                    right = i
                    colons = 0
                    twin = False
                    while right < end:
                        c = data[right]
                        if c == 58:
                            colons += 1
                            twin |= right > begin and data[right - 1] == 58
                        elif not (
                            _CLASS[c] & _HEX or (c == 46 and right + 1 < end and _CLASS[data[right + 1]] & _DIGIT)
                        ):
                            break
                        right += 1
                    colon_until = right
                    if twin or colons >= 6:
                        if right < end and data[right] == 37:  # "%": the zone of a link-local address
                            right += 1
                            while right < end and _CLASS[data[right]] & _ALPHANUMERIC:
                                right += 1
                        out[count] = (IPV6, row, left, min(right + 4, end))
                        count += 1
                i += 1
                continue
            if byte == 43:  # "+"
                if wanted & (1 << PLUS):
                    right = i + 1
                    digits = gap = 0
                    last = right
                    while right < end and right - i < PHONE_BYTES and gap <= PHONE_GAP and _CLASS[data[right]] & _DIAL:
                        if _CLASS[data[right]] & _DIGIT:
                            digits += 1
                            gap = 0
                            last = right + 1
                        else:
                            gap += 1
                        right += 1
                    if digits >= PHONE_DIGITS:
                        left = i - 1 if i > begin and data[i - 1] == 40 else i  # "(+41) …"
                        out[count] = (PLUS, row, left, last)
                        count += 1
                i += 1
                continue

            # A run of digits starts here: a run is entered at its first digit only.
            stop = i + 1
            while stop < end and _CLASS[data[stop]] & _DIGIT:
                stop += 1
            if wanted & (1 << EMAIL) and i > begin and data[i - 1] == 37 and byte == 52 and stop > i + 1:  # noqa: SIM102
                # "%40", an at sign in a URL (RFC 3986, section 2.1)
                if data[i + 1] == 48:
                    left = i - 1
                    while left > escape_until and _CLASS[data[left - 1]] & _LOCAL:
                        left -= 1
                    # The run goes on to the left of the escape before it: "%40%40%40…" is walked once.
                    left = escape_from if left == escape_until else left
                    escape_from, escape_until = left, i - 1
                    right = i + 2
                    dots = 0
                    while right < end and _CLASS[data[right]] & _DOMAIN:
                        dots += data[right] == 46
                        right += 1
                    if left < i - 1 and dots:
                        out[count] = (EMAIL, row, left, right)
                        count += 1
            if wanted & (1 << IPV4) and stop - i <= 3:
                right = stop
                groups = 1
                while groups < 4 and right + 1 < end and data[right] == 46 and _CLASS[data[right + 1]] & _DIGIT:
                    tail = right + 1
                    while tail < end and tail - right <= 4 and _CLASS[data[tail]] & _DIGIT:
                        tail += 1
                    if tail - right > 4:
                        break
                    right = tail
                    groups += 1
                if groups == 4:
                    if right < end and data[right] == 47:  # "/": a prefix length
                        right = min(right + 3, end)
                    out[count] = (IPV4, row, i, right)
                    count += 1
            if wanted & (1 << IBAN) and stop - i >= 2:
                left = i
                if left > begin + 1 and data[left - 1] == 160 and data[left - 2] == 194:  # no-break space
                    left -= 2
                elif left > begin and (data[left - 1] == 32 or data[left - 1] == 45 or data[left - 1] == 46):
                    left -= 1
                capital = left > begin + 1 and _CLASS[data[left - 1]] & _UPPER and _CLASS[data[left - 2]] & _UPPER
                if capital or (
                    left == i and i > begin + 1 and _CLASS[data[i - 1]] & _LOWER and _CLASS[data[i - 2]] & _LOWER
                ):
                    left -= 2
                    while left > begin and i - left < 8 and _CLASS[data[left - 1]] & _UPPER:  # "IBANDE89…"
                        left -= 1
                    right = i
                    characters = 2
                    last = i
                    while right < end and characters < IBAN_LENGTH:
                        c = data[right]
                        if _CLASS[c] & _ALPHANUMERIC:
                            characters += 1
                            last = right + 1
                            right += 1
                        elif capital and right == last and (c == 32 or c == 45 or c == 46):
                            right += 1
                        elif capital and right == last and c == 194 and right + 1 < end and data[right + 1] == 160:
                            right += 2
                        else:
                            break
                    if characters >= 15:
                        out[count] = (IBAN, row, left, last)
                        count += 1
            if wanted & (1 << CRYPTO) and (byte == 49 or byte == 51):
                left = i
                if byte == 49 and left > begin + 1 and data[left - 1] == 99 and data[left - 2] == 98:  # "bc1"
                    left -= 2
                if left == begin or not _CLASS[data[left - 1]] & _ALPHANUMERIC:
                    right = left
                    while right < end and _CLASS[data[right]] & _ALPHANUMERIC:
                        right += 1
                    if right - left >= CRYPTO_LENGTH:
                        out[count] = (CRYPTO, row, left, right)
                        count += 1
            if wanted & (1 << CARD) and i >= card_until:
                right = i
                digits = 0
                last = i
                while right < end:
                    c = data[right]
                    if _CLASS[c] & _DIGIT:
                        digits += 1
                        right += 1
                        last = right
                    elif right == last and (c == 32 or c == 45):
                        right += 1
                    elif right == last and c == 194 and right + 1 < end and data[right + 1] == 160:
                        right += 2
                    else:
                        break
                card_until = right
                if digits >= CARD_DIGITS:
                    out[count] = (CARD, row, i, last)
                    count += 1
            if wanted & (1 << NUMBER) and i >= number_until:
                right = i
                digits = gap = 0
                last = i
                while right < end and gap <= PHONE_GAP and _CLASS[data[right]] & _DIAL:
                    if _CLASS[data[right]] & _DIGIT:
                        digits += 1
                        gap = 0
                        last = right + 1
                    else:
                        gap += 1
                    right += 1
                number_until = right
                if digits >= PHONE_DIGITS:
                    left = i
                    while left > begin and i - left < 4 and (data[left - 1] == 40 or data[left - 1] == 43):
                        left -= 1
                    out[count] = (NUMBER, row, left, last)
                    count += 1
            if wanted & (1 << IDENTIFIER) and i >= identifier_until:
                left = i
                while left > begin and i - left < 16 and _CLASS[data[left - 1]] & (_ALPHANUMERIC):
                    left -= 1
                if left == i and left > begin + 1 and data[left - 1] == 45:  # "X-1234567-L"
                    while (
                        left > begin
                        and i - left < 4
                        and (data[left - 1] == 45 or _CLASS[data[left - 1]] & _ALPHANUMERIC)
                    ):
                        left -= 1
                right = i
                digits = 0
                last = i
                while right < end:
                    c = data[right]
                    if _CLASS[c] & _ALPHANUMERIC:
                        digits += (_CLASS[c] & _DIGIT) != 0
                        right += 1
                        last = right
                    elif right == last and (c == 45 or c == 46 or c == 47 or c == 43):
                        right += 1
                    elif right == last and c == 32 and _CLASS[data[right - 1]] & _DIGIT:
                        if right + 1 < end and _CLASS[data[right + 1]] & _DIGIT:
                            right += 1
                        else:
                            break
                    else:
                        break
                identifier_until = right
                capitals = 0
                if 4 <= digits < IDENTIFIER_DIGITS:
                    for place in range(left, last):
                        capitals += (_CLASS[data[place]] & _UPPER) != 0
                if digits >= IDENTIFIER_DIGITS or capitals >= IDENTIFIER_CAPITALS:
                    out[count] = (IDENTIFIER, row, left, last)
                    count += 1
            i = stop
        if count - before > limit:
            beyond[row] = True
            count = before
    return out, count


class Windows(NamedTuple):
    """Windows of one kind, by position: `document` (row of the batch), `start` and `end` (bytes of the buffer)."""

    document: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]


class Candidates(NamedTuple):
    """Windows by their kind, and which documents have too many to be looked at (shape (n,)): those have none here."""

    windows: dict[int, Windows]
    beyond: NDArray[np.bool_]


def candidates(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    kinds: tuple[int, ...],
    limit: int,
    skipped: NDArray[np.bool_] | None = None,
) -> Candidates:
    """Windows of the wanted kinds in a string column; overlapping windows of one kind are joined.

    Args:
        data: the column's bytes, shape (b,).
        offsets: where each of n documents starts and ends in `data`, shape (n + 1,).
        kinds: the kinds to look for.
        limit: windows a document that either scan may find, before any are joined.
        skipped: documents that are not looked at, shape (n,); None for none.
    """
    wanted = 0
    for kind in kinds:
        wanted |= 1 << kind
    beyond = np.zeros(offsets.size - 1, np.bool_)
    skipped = np.zeros_like(beyond) if skipped is None else skipped
    rows, count = scan(data, offsets, wanted, limit, beyond, skipped)
    rows = rows[:count]
    if wanted >> marks.RUN:
        more, count = marks.scan(data, offsets, wanted, limit, beyond, skipped | beyond)
        rows = np.concatenate([rows, more[:count]])
        # A document that one of the two scans found too much in has no window of the other either.
        rows = rows[~beyond[rows[:, 1]]]
    windows = {kind: _joined(rows[rows[:, 0] == kind]) for kind in kinds if np.any(rows[:, 0] == kind)}
    if BLOCK in kinds:
        found = [row for row in blocks(data, offsets) if not beyond[row[1]] and not skipped[row[1]]]
        windows |= {BLOCK: _joined(np.array(found, np.int64))} if found else {}
    return Candidates(windows, beyond)


def _joined(rows: NDArray[np.int64]) -> Windows:
    rows = rows[np.argsort(rows[:, 2], kind="stable")]
    reach = np.maximum.accumulate(rows[:, 3])
    # Windows that only touch stay apart: two documents touch in the buffer.
    first = np.concatenate([[True], rows[1:, 2] >= reach[:-1]])
    starts = np.flatnonzero(first)
    return Windows(rows[starts, 1], rows[starts, 2], np.maximum.reduceat(rows[:, 3], starts))
