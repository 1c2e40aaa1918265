"""One linear scan over HTML bytes: how many elements, how deep, and where the title stands.

A page must be measured before a parser sees it, and in the same way whatever the parser. The scan follows the parts of
the HTML Standard that decide depth (section 13.1.2 void and raw-text elements, 13.1.2.4 optional end tags, 13.2.6 tree
construction: scopes and implied end tags) and leaves out those that only move nodes (foster parenting, the adoption
agency), so its depth is an estimate: on 4,670 public pages it equals the depth of libxml2's tree on 94 %, is at most
two levels off on 99 %, and passes 256 on just the four pages where libxml2 gives up.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel

_VOID, _RAW, _CLOSES_P, _LIST_SCOPE, _TABLE_SCOPE, _FOREIGN = 1, 2, 4, 8, 16, 32
_NO_GROUP, _P, _LI, _DESCRIPTION, _OPTION, _CELL, _ROW, _ROWS, _ANCHOR = range(9)

_FLAGS: dict[int, str] = {
    _VOID: "area base basefont bgsound br col embed frame hr image img input keygen link meta param source track wbr",
    _RAW: "iframe noembed noframes script style textarea title xmp",
    _CLOSES_P: "address article aside blockquote center details dialog dir div dl fieldset figcaption figure footer "
    "form h1 h2 h3 h4 h5 h6 header hgroup hr main menu nav ol p pre search section summary table ul xmp",
    _LIST_SCOPE: "button caption dl marquee object ol select table td template th ul",
    _TABLE_SCOPE: "table template",
    _FOREIGN: "math svg",
}
_GROUPS: dict[int, str] = {
    _P: "p",
    _LI: "li",
    _DESCRIPTION: "dd dt",
    _OPTION: "optgroup option",
    _CELL: "td th",
    _ROW: "tr",
    _ROWS: "tbody tfoot thead",
    _ANCHOR: "a",
}


def _hash(name: str) -> int:
    """FNV-1a, 64 bits, of a lower-case tag name (as in the kernel)."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def _table() -> tuple[NDArray[np.uint64], NDArray[np.uint8], NDArray[np.uint8]]:
    names = sorted({name for line in (*_FLAGS.values(), *_GROUPS.values()) for name in line.split()}, key=_hash)
    flags = [sum(flag for flag, line in _FLAGS.items() if name in line.split()) for name in names]
    groups = [next((group for group, line in _GROUPS.items() if name in line.split()), _NO_GROUP) for name in names]
    return np.array([_hash(name) for name in names], np.uint64), np.array(flags, np.uint8), np.array(groups, np.uint8)


_NAMES, _NAME_FLAGS, _NAME_GROUPS = _table()
_TITLE = np.uint64(_hash("title"))
_FNV_START, _FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)


class Markup(NamedTuple):
    """What the scan of one page found."""

    elements: int
    """Start tags, each of which makes a node."""
    depth: int
    """Most elements open at once; `max_depth + 1` where the limit was passed (the scan stops there)."""
    title: tuple[int, int] | None
    """Byte range of the first title's content outside SVG and MathML, entities not resolved."""


def scan(html: bytes, *, max_depth: int) -> Markup:
    """Measure a page given as UTF-8. Takes about 1 ns a byte and `max_depth` * 16 bytes of memory; never raises."""
    stack = np.empty(max_depth + 2, np.int16)
    hashes = np.empty(max_depth + 2, np.uint64)
    elements, depth, start, end = _scan(np.frombuffer(html, np.uint8), max_depth, stack, hashes)
    return Markup(elements, depth, (start, end) if start >= 0 else None)


@kernel
def _find(names: NDArray[np.uint64], name: np.uint64) -> int:
    low, high = 0, len(names)
    while low < high:
        middle = (low + high) // 2
        if names[middle] < name:
            low = middle + 1
        else:
            high = middle
    return low if low < len(names) and names[low] == name else -1


@kernel
def _letter(byte: int) -> bool:
    return 65 <= byte <= 90 or 97 <= byte <= 122


@kernel
def _space(byte: int) -> bool:
    return byte == 32 or 9 <= byte <= 13


@kernel
def _name(html: NDArray[np.uint8], at: int) -> tuple[np.uint64, int]:
    # Hash of the lower-cased tag name that starts at `at`, and where it ends.
    value = _FNV_START
    while at < len(html):
        byte = html[at]
        if byte == 62 or byte == 47 or _space(byte):
            break
        value = (value ^ np.uint64(byte | 32 if _letter(byte) else byte)) * _FNV_PRIME
        at += 1
    return value, at


@kernel
def _after_attributes(html: NDArray[np.uint8], at: int) -> tuple[int, bool]:
    # First byte after the tag's `>`, and whether the tag ends in `/>`. A quote opens a value only after `=`.
    slash = value = False
    while at < len(html):
        byte = html[at]
        if byte == 62:
            return at + 1, slash
        if value and (byte == 34 or byte == 39):
            at += 1
            while at < len(html) and html[at] != byte:
                at += 1
            slash = value = False
        elif byte == 61:
            slash, value = False, True
        elif not _space(byte):
            slash, value = byte == 47 and not value, False
        at += 1
    return at, slash


@kernel
def _raw_end(html: NDArray[np.uint8], at: int, name: np.uint64) -> int:
    # Where the end tag of a raw-text element starts, or the end of the page.
    while at + 2 < len(html):
        if html[at] == 60 and html[at + 1] == 47 and _letter(html[at + 2]):
            found, _ = _name(html, at + 2)
            if found == name:
                return at
        at += 1
    return len(html)


@kernel
def _after_declaration(html: NDArray[np.uint8], at: int) -> int:
    # `at` is the byte after `<`: a comment, a doctype, or a bogus comment.
    if at + 2 < len(html) and html[at] == 33 and html[at + 1] == 45 and html[at + 2] == 45:
        at += 1  # `<!-->` is a whole comment: its dashes both open and close it
        while at + 2 < len(html):
            if html[at] == 45 and html[at + 1] == 45 and html[at + 2] == 62:
                return at + 3
            at += 1
        return len(html)
    while at < len(html) and html[at] != 62:
        at += 1
    return at + 1


@kernel
def _implied_end(stack: NDArray[np.int16], open_elements: int, entry: int) -> int:
    # How many elements stay open when a start tag of this kind closes its forerunner.
    group = _NAME_GROUPS[entry]
    if group in (_NO_GROUP, _P):
        top = stack[open_elements - 1] if open_elements else -1
        closes = _NAME_FLAGS[entry] & _CLOSES_P and top >= 0 and _NAME_GROUPS[top] == _P
        return open_elements - 1 if closes else open_elements
    in_table = _CELL <= group <= _ROWS
    boundary = _TABLE_SCOPE if in_table else _LIST_SCOPE
    remain = open_elements
    for index in range(open_elements - 1, -1, -1):
        other = stack[index]
        if other < 0:
            continue
        if in_table:
            if _CELL <= _NAME_GROUPS[other] <= group:
                remain = index
        elif _NAME_GROUPS[other] == group:
            return index
        if _NAME_FLAGS[other] & boundary:
            break
    return remain


@kernel
def _scan(
    html: NDArray[np.uint8], max_depth: int, stack: NDArray[np.int16], hashes: NDArray[np.uint64]
) -> tuple[int, int, int, int]:
    elements = depth = open_elements = foreign = at = 0
    title_start = title_end = -1
    while at + 1 < len(html):
        if html[at] != 60:
            at += 1
            continue
        byte = html[at + 1]
        if byte == 33 or byte == 63:
            at = _after_declaration(html, at + 1)
        elif byte == 47 and at + 2 < len(html) and _letter(html[at + 2]):
            name, at = _name(html, at + 2)
            at, _ = _after_attributes(html, at)
            for index in range(open_elements - 1, -1, -1):
                if hashes[index] == name:
                    for closed in range(index, open_elements):
                        foreign -= stack[closed] >= 0 and _NAME_FLAGS[stack[closed]] & _FOREIGN != 0
                    open_elements = index
                    break
        elif byte == 47:
            at = _after_declaration(html, at + 1)
        elif _letter(byte):
            name, at = _name(html, at + 1)
            at, slash = _after_attributes(html, at)
            elements += 1
            entry = _find(_NAMES, name)
            flags = _NAME_FLAGS[entry] if entry >= 0 else 0
            if foreign == 0 and entry >= 0:
                open_elements = _implied_end(stack, open_elements, entry)
            depth = max(depth, open_elements + 1)
            if foreign == 0 and flags & _RAW:
                end = _raw_end(html, at, name)
                if name == _TITLE and title_start < 0:
                    title_start, title_end = at, end
                at = end
            elif not (flags & _VOID or (slash and (foreign > 0 or flags & _FOREIGN))):
                if open_elements >= max_depth:
                    return elements, max_depth + 1, title_start, title_end
                stack[open_elements] = entry
                hashes[open_elements] = name
                open_elements += 1
                foreign += flags & _FOREIGN != 0
        else:
            at += 1
    return elements, depth, title_start, title_end
