"""The text of a page's kept blocks, written in one linear pass without a parser.

It is what resiliparse makes of their HTML (`kept`) where they hold nothing but text, tags that stand in a line of text,
cells, and code whose markup is plain: 98 of 100 public pages, the same to the last character on 437 of 439. There is no
tree, so nothing that a page holds can hang it or make it grow, and no other process is asked: .15 ms a page, where the
way over the sandbox takes 1.5. Other pages get no text here: formulas, code with gutters or line breaks as tags, a
`<pre>` that is mostly links, cookie notices.

Left out is what is only for screen readers, by the names `visually-hidden` and `vh`: "(opens in a new window)" in the
middle of sentences. With `sr-only` and `screen-reader` word F1 of collections falls from .7543 to .7490.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.character_references import resolved
from lauter.stages.extract.banners import has_notice
from lauter.stages.extract.blocks.cutting import KIND, PARENT, Blocks
from lauter.stages.extract.blocks.notices import may_hold_notice
from lauter.stages.extract.blocks.text_run import CHARS, DIGITS, ELEMENT, IN_PRE, LINKED
from lauter.stages.extract.marks import lines_of
from lauter.stages.extract.markup import (
    KINDS,
    NAME_FLAGS,
    NAMES,
    VOID,
    after_attributes,
    find_name,
    follows,
    is_letter,
    is_space,
    name_hash,
    tag_name,
)
from lauter.stages.extract.white_space import tidied

_LI, _TD, _TH = (KINDS.index(name) + 1 for name in ("li", "td", "th"))
_IS_CELL = np.isin(np.arange(len(KINDS) + 1), (_TD, _TH))
_PARAGRAPH, _LINE, _CELL, _CODE = range(4)
"""What a block becomes: paragraphs and headings have an empty line around them, the others a line end."""
_BR, _CODE_NAME, _LABEL = (np.uint64(name_hash(name)) for name in ("br", "code", "label"))
_FORMULAS = np.array([name_hash(name) for name in ("math", "m:math", "mml:math", "mjx-container", "script")], np.uint64)
_TEX, _JAX, _MWE, _WHITE_SPACE, _LN, _LINEN, _LINE_N, _GUTTER, _VISUALLY_HIDDEN, _VH = (
    np.frombuffer(name, np.uint8)
    for name in (
        *(b"tex", b"jax", b"mwe-math", b"white-space", b"ln", b"linen", b"line-n", b"gutter"),
        *(b"visually-hidden", b"vh"),
    )
)
_NOTHING, _PARSER, _UNSEEN = range(3)
"""What a start tag tells (`_told`)."""
_SHORTEST = 6
"""A tag with fewer bytes has no attribute that tells anything (`<b id>`)."""
_ENTITY_SPACE = re.compile(r"&(?:#0*(?:9|10|12|13|32)(?!\d)|#[xX]0*(?:9|[aAcCdD]|20)(?![0-9a-fA-F])|Tab;|NewLine;);?")
"""White space that HTML makes one space of, as an entity. What is none after that is no longer joined."""


class _Written(NamedTuple):
    """What the pass wrote."""

    text: NDArray[np.uint8]
    """UTF-8, entities as in the page."""
    spans: NDArray[np.int64]
    """(spans, 4): where each begins and ends, line ends before it, whether it is code."""
    plain: bool
    """False where it stopped since a parser is needed."""


def text_of(html: bytes, blocks: Blocks, keep: NDArray[np.bool_]) -> str | None:
    """The text of the blocks where `keep` (blocks,) is true, in their order; None where it takes a parser."""
    written = _Written(*_write(np.frombuffer(html, np.uint8), blocks.pieces, blocks.rows, blocks.elements, keep))
    if not written.plain:
        return None
    source = written.text.tobytes()
    found: list[str] = []
    for start, stop, lines, code in written.spans.tolist():
        piece = source[start:stop].decode("utf-8")
        piece = _code(piece) if code else _prose(piece)
        if piece:
            found += ("\n" * lines, piece) if found else (piece,)
    text = "".join(found)
    return None if may_hold_notice(written.text) and has_notice(text) else text


def _prose(text: str) -> str:
    joined = 0
    if "&" in text:
        text, joined = _ENTITY_SPACE.subn(" ", text)
        text = resolved(text)
    # The pass has joined ASCII white space.
    return tidied(text) if joined or "\xa0" in text or "\u3000" in text else text.strip()


def _code(text: str) -> str:
    lines = lines_of(resolved(text))
    while lines and not lines[-1].strip():
        lines.pop()
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    return "\n".join(lines[first:])


@kernel
def _cells_in_row(
    rows: NDArray[np.int32], elements: NDArray[np.int32], keep: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    # Of each kept cell: how many cells the row has in its table, and whether the table has a row of several.
    count = np.zeros(len(rows), np.int32)
    data = np.zeros(len(rows), np.bool_)
    table = row_start = -1
    row = cell = cells = most = 0
    for block in range(len(rows) + 1):
        inside = False
        if block < len(rows):
            if not keep[block]:
                continue
            kind = elements[rows[block, ELEMENT], KIND]
            inside = _IS_CELL[kind] and rows[block, IN_PRE] == 0
        element = rows[block, ELEMENT] if inside else 0
        if row_start >= 0 and (not inside or elements[element, PARENT] != row):
            for index in range(row_start, block):
                count[index] = cells
            most = max(most, cells)
            row_start = -1
        if not inside:
            for index in range(table if table >= 0 else block, block):
                data[index] = most > 1
            table, most = -1, 0
            continue
        if table < 0:
            table = block
        if row_start < 0:
            row_start, row, cell, cells = block, elements[element, PARENT], element, 1
        elif element != cell:
            cell = element
            cells += 1
    return count, data


@kernel
def _told(html: NDArray[np.uint8], name: np.uint64, at: int, end: int, kind: int) -> int:
    # What the attributes of a start tag tell: a formula, code that `code_blocks` would look at more closely, or that
    # only screen readers read what is in it.
    told = _NOTHING
    for index in range(at, end - 2):
        letter = html[index] | 32
        if letter == 116:
            # `tex` as the end of a word: latex, katex, tex.cgi, but not text.
            if follows(html, index, end, _TEX) and index + 3 < end and not is_letter(html[index + 3]):
                return _PARSER
        elif letter == 106:
            if follows(html, index, end, _JAX) and html[index - 1] | 32 != 97:  # MathJax, not ajax
                return _PARSER
        elif letter == 109:
            if follows(html, index, end, _MWE):
                return _PARSER
        elif kind == _CODE:
            # The names of gutters: ln, lnum, lineno, line-number.
            if letter == 108 and (follows(html, index, end, _LN) or follows(html, index, end, _LINEN)):
                return _PARSER
            if (letter == 108 and follows(html, index, end, _LINE_N)) or follows(html, index, end, _GUTTER):
                return _PARSER
        elif letter == 119:
            if name == _CODE_NAME and follows(html, index, end, _WHITE_SPACE):
                return _PARSER
        elif letter == 118:
            word = not is_letter(html[index - 1]) and not is_letter(html[min(index + 2, end - 1)])
            if follows(html, index, end, _VISUALLY_HIDDEN) or (word and follows(html, index, end, _VH)):
                told = _UNSEEN
    return told


@kernel
def _has_end(name: np.uint64) -> bool:
    entry = find_name(NAMES, name)
    return entry < 0 or NAME_FLAGS[entry] & VOID == 0


@kernel
def _longest(pieces: NDArray[np.int64], keep: NDArray[np.bool_]) -> int:
    # Bytes that the text takes at most: a block adds two line ends and a mark, a cell bars.
    size = 0
    last = -1
    for piece in range(len(pieces)):
        if keep[pieces[piece, 2]]:
            size += pieces[piece, 1] - pieces[piece, 0]
            size += 16 if pieces[piece, 2] != last else 0
            last = pieces[piece, 2]
    return size


@kernel
def _write(
    html: NDArray[np.uint8],
    pieces: NDArray[np.int64],
    rows: NDArray[np.int32],
    elements: NDArray[np.int32],
    keep: NDArray[np.bool_],
) -> tuple[NDArray[np.uint8], NDArray[np.int64], bool]:
    in_row, data = _cells_in_row(rows, elements, keep)
    out = np.empty(_longest(pieces, keep), np.uint8)
    spans = np.zeros((8, 4), np.int64)
    used = span_count = 0
    block = place = row = cell = -1
    last = kind = -1  # what the last block with text became, and what this one does
    written = False  # text of this block has come
    space = line = many = False
    unseen = codes = 0
    unseen_name = np.uint64(0)
    for piece in range(len(pieces)):
        if not keep[pieces[piece, 2]]:
            continue
        at, stop = pieces[piece, 0], pieces[piece, 1]
        if pieces[piece, 2] != block:
            if written:
                last = kind
            block = pieces[piece, 2]
            element = rows[block, ELEMENT]
            place = elements[element, KIND]
            if rows[block, IN_PRE] > 0:
                kind = _CODE
                if 2 * rows[block, LINKED] > rows[block, CHARS] or rows[block, DIGITS] == rows[block, CHARS]:
                    return out[:0], spans[:0], False
            elif _IS_CELL[place]:
                kind = _CELL
            else:
                kind = _LINE if place == _LI else _PARAGRAPH
            written = space = line = False
            unseen = codes = 0
        while at < stop:
            byte = html[at]
            closing = byte == 60 and at + 2 < stop and html[at + 1] == 47 and is_letter(html[at + 2])
            if closing or (byte == 60 and at + 2 < stop and is_letter(html[at + 1])):
                tag = at
                name, at = tag_name(html, at + 1 + closing)
                attributes = at
                at, _ = after_attributes(html, at)
                if closing:
                    unseen -= unseen > 0 and name == unseen_name
                    codes -= name == _CODE_NAME and codes > 0
                elif name == _BR:
                    if codes > 0:
                        return out[:0], spans[:0], False
                    line = True
                else:
                    codes += name == _CODE_NAME and kind != _CODE
                    told = _told(html, name, attributes, at, kind) if at - tag >= _SHORTEST else _NOTHING
                    if told == _PARSER or name in _FORMULAS:
                        return out[:0], spans[:0], False
                    if unseen > 0:
                        unseen += name == unseen_name
                    elif name == _LABEL or (told == _UNSEEN and _has_end(name)):
                        unseen_name, unseen = name, 1
                if line and kind == _CODE:
                    line = False
                    if written:
                        out[used] = 10
                        used += 1
                continue
            at += 1
            if byte == 0 or (unseen > 0 and kind != _CODE):
                continue
            if kind != _CODE and is_space(byte):
                space = True
                continue
            if not written:
                # The block begins: what stands between it and the last.
                lines = 0
                if last >= 0:
                    lines = 2 if last == _PARAGRAPH or kind == _PARAGRAPH else 1
                if kind == _CODE or last == _CODE or last < 0:
                    if kind == _CODE and last == _CODE:
                        out[used] = 10
                        used += 1
                    else:
                        if many:
                            out[used], out[used + 1] = 32, 124
                            used += 2
                            many = False
                        if span_count == len(spans):
                            grown = np.zeros((2 * span_count, 4), np.int64)
                            grown[:span_count] = spans
                            spans = grown
                        if span_count > 0:
                            spans[span_count - 1, 1] = used
                        spans[span_count, 0], spans[span_count, 2] = used, lines
                        spans[span_count, 3] = kind == _CODE
                        span_count += 1
                        row = cell = -1
                    lines = 0
                element = rows[block, ELEMENT]
                if kind == _CELL and last == _CELL and row == elements[element, PARENT] and data[block]:
                    # Of the row that is open.
                    if cell != element:
                        out[used], out[used + 1], out[used + 2] = 32, 124, 32
                        used += 3
                    else:
                        out[used] = 32
                        used += 1
                else:
                    if many:
                        out[used], out[used + 1] = 32, 124
                        used += 2
                    for _ in range(lines):
                        out[used] = 10
                        used += 1
                    many = kind == _CELL and data[block] and in_row[block] > 1
                    if many:
                        out[used], out[used + 1] = 124, 32
                        used += 2
                    elif place == _LI and kind == _LINE:
                        out[used], out[used + 1] = 45, 32
                        used += 2
                if kind == _CELL:
                    row, cell = elements[element, PARENT], element
                written, space, line = True, False, False
            elif line:
                out[used] = 32 if kind == _CELL and data[block] else 10
                used += 1
                space = line = False
            elif space:
                out[used] = 32
                used += 1
                space = False
            out[used] = byte
            used += 1
    if many:
        out[used], out[used + 1] = 32, 124
        used += 2
    if span_count > 0:
        spans[span_count - 1, 1] = used
    return out[:used], spans[:span_count], True
