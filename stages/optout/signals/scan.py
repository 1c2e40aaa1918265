"""Kernel: the few tags of a page that can hold a statement, found in one pass over its bytes.

It follows the tokenizer of the HTML Standard (section 13.2.5) as far as telling markup from what only looks like it:
comments, bogus comments, raw text and RCDATA elements, quoted values. Contents of `template` are inert and left out.
Left out too is the "double escaped" state of script data, which would only hide more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel

META, LINK, ANCHOR, JSON_LD = 1, 2, 3, 4
"""Kinds of candidates: a `meta` tag, a `link` tag, an `a` or `area` tag, the content of a JSON-LD script."""


def _code(name: str) -> np.uint64:
    """A name of up to eight bytes as one number (as in the kernel)."""
    return np.uint64(int.from_bytes(name.encode(), "little"))


_META, _LINK, _A, _AREA, _SCRIPT = map(_code, ("meta", "link", "a", "area", "script"))
_TEMPLATE, _SVG, _MATH = map(_code, ("template", "svg", "math"))
# Elements whose content is text up to their end tag (section 13.1.2: raw text, escapable raw text, and iframe and the
# like, which a reader with scripts does not read).
_RAW = np.array(
    [_code(name) for name in ("iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp")],
    np.uint64,
)
_NO_NAME = np.uint64(2**64 - 1)


def _words(*words: str) -> NDArray[np.uint8]:
    """Words in lower case as rows, ended by zeros."""
    table = np.zeros((len(words), max(map(len, words)) + 1), np.uint8)
    for row, word in enumerate(words):
        table[row, : len(word)] = list(word.encode())
    return table


# `&#`: a value may hide any word behind a character reference, so the caller looks. Named references spell no letters.
_IN_META = _words(
    "noai", "noimageai", "noindex", "none", "tdm-", "rights", "licen", "content-usage", "content-sig", "&#"
)
_IN_RELATION = _words("licen", "&#")
_REL = _words("rel")
_LD_JSON = _words("ld+json")
_LICENSE = _words('"license"')


class Candidates(NamedTuple):
    """Spans of bytes in document order, all of equal length."""

    row: NDArray[np.int64]
    kind: NDArray[np.int64]
    start: NDArray[np.int64]
    """In the buffer: of a tag's attributes, or of a script's content."""
    end: NDArray[np.int64]
    tag: NDArray[np.int64]
    """Where the tag's `<` is."""


def candidates(data: NDArray[np.uint8], offsets: NDArray[np.int64], wanted: NDArray[np.bool_]) -> Candidates:
    """Candidates in the rows data[offsets[i] : offsets[i + 1]] that are `wanted`.

    A tag that the end of the page cuts counts, as far as it goes. Takes 1 to 2 ns a byte, whatever the bytes.
    """
    room = 64 + 16 * int(wanted.sum())
    while True:
        found = [np.empty(room, np.int64) for _ in Candidates._fields]
        count = _scan(data, offsets, wanted, *found)
        if count <= room:
            return Candidates(*(column[:count] for column in found))
        room = count


@kernel
def _letter(byte: int) -> bool:
    return 65 <= byte <= 90 or 97 <= byte <= 122


@kernel
def _space(byte: int) -> bool:
    return byte == 32 or 9 <= byte <= 13


@kernel
def _is_raw(name: np.uint64) -> bool:
    for raw in _RAW:  # noqa: SIM110  # numba compiles a loop to less than a generator
        if raw == name:
            return True
    return False


@kernel
def _name(data: NDArray[np.uint8], at: int, end: int) -> tuple[np.uint64, int]:
    # Code of the lower-cased tag name at `at`, and where it ends.
    code, size = np.uint64(0), 0
    while at < end:
        byte = data[at]
        if byte == 62 or byte == 47 or _space(byte):
            break
        if size < 8:
            low = np.uint64(byte | 32 if _letter(byte) else byte)
            code |= low << np.uint64(8 * size)
        size += 1
        at += 1
    return (code if size <= 8 else _NO_NAME), at


@kernel
def _after_attributes(data: NDArray[np.uint8], at: int, end: int) -> tuple[int, bool]:
    # Where the tag's `>` is (or `end`), and whether it is `/>`. A quote opens a value only after `=`.
    slash = value = False
    while at < end:
        byte = data[at]
        if byte == 62:
            return at, slash
        if value and (byte == 34 or byte == 39):
            at += 1
            while at < end and data[at] != byte:
                at += 1
            slash = value = False
        elif byte == 61:
            slash, value = False, True
        elif not _space(byte):
            slash, value = byte == 47 and not value, False
        at += 1
    return end, slash


@kernel
def _after_declaration(data: NDArray[np.uint8], at: int, end: int) -> int:
    # `at` is the byte after `<`: a comment, a doctype or a bogus comment.
    if at + 2 < end and data[at] == 33 and data[at + 1] == 45 and data[at + 2] == 45:
        at += 3
        if at < end and data[at] == 62:
            return at + 1  # `<!-->`
        if at + 1 < end and data[at] == 45 and data[at + 1] == 62:
            return at + 2  # `<!--->`
        while at + 2 < end:
            if data[at] == 45 and data[at + 1] == 45:
                if data[at + 2] == 62:
                    return at + 3
                if data[at + 2] == 33 and at + 3 < end and data[at + 3] == 62:
                    return at + 4  # `--!>`
            at += 1
        return end
    while at < end and data[at] != 62:
        at += 1
    return at + 1


@kernel
def _raw_end(data: NDArray[np.uint8], at: int, end: int, name: np.uint64) -> int:
    # Where the end tag of a raw-text element starts, or the end of the page.
    while at + 2 < end:
        if data[at] == 60 and data[at + 1] == 47 and _letter(data[at + 2]):
            found, _ = _name(data, at + 2, end)
            if found == name:
                return at
        at += 1
    return end


@kernel
def _holds(data: NDArray[np.uint8], start: int, end: int, words: NDArray[np.uint8]) -> bool:
    # Whether any of the words stands in data[start:end], in any case.
    for at in range(start, end):
        low = data[at] | 32
        for word in range(words.shape[0]):
            if words[word, 0] != low:
                continue
            size = 1
            while words[word, size] and at + size < end and data[at + size] | 32 == words[word, size] | 32:
                size += 1
            if words[word, size] == 0:
                return True
    return False


@kernel
def _kind(data: NDArray[np.uint8], name: np.uint64, start: int, end: int) -> int:
    # Which kind of candidate a tag with these attributes is, 0 for none.
    if name == _META:
        return META if _holds(data, start, end, _IN_META) else 0
    if name == _LINK:
        return LINK if _holds(data, start, end, _IN_RELATION) else 0
    if name in (_A, _AREA):
        return ANCHOR if _holds(data, start, end, _REL) and _holds(data, start, end, _IN_RELATION) else 0
    return 0


@kernel
def _scan(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    wanted: NDArray[np.bool_],
    rows: NDArray[np.int64],
    kinds: NDArray[np.int64],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    tags: NDArray[np.int64],
) -> int:
    # Fills the columns of `Candidates` as far as their room goes; returns how many candidates there are.
    count, room = 0, len(rows)
    for row in range(len(offsets) - 1):
        if not wanted[row]:
            continue
        at, end = offsets[row], offsets[row + 1]
        template = foreign = 0
        while at + 1 < end:
            if data[at] != 60:
                at += 1
                continue
            byte = data[at + 1]
            if _letter(byte):
                tag = at
                name, start = _name(data, at + 1, end)
                stop, slash = _after_attributes(data, start, end)
                at = stop + 1
                kind = _kind(data, name, start, stop) if template == 0 else 0
                if name == _TEMPLATE:
                    template += 1
                elif name in (_SVG, _MATH):
                    foreign += not slash
                elif _is_raw(name) and not (slash and foreign):
                    content = min(at, end)
                    at = _raw_end(data, content, end, name)
                    if name == _SCRIPT and template == 0 and _holds(data, start, stop, _LD_JSON):
                        start, stop = content, at
                        kind = JSON_LD if _holds(data, start, stop, _LICENSE) else 0
                if kind:
                    if count < room:
                        rows[count] = row
                        kinds[count] = kind
                        starts[count] = start
                        stops[count] = stop
                        tags[count] = tag
                    count += 1
            elif byte == 47 and at + 2 < end and _letter(data[at + 2]):
                name, start = _name(data, at + 2, end)
                stop, _ = _after_attributes(data, start, end)
                at = stop + 1
                if name == _TEMPLATE and template:
                    template -= 1
                elif name in (_SVG, _MATH) and foreign:
                    foreign -= 1
            elif byte == 33 or byte == 47 or byte == 63:
                at = _after_declaration(data, at + 1, end)
            else:
                at += 1
    return count
