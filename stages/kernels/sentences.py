"""Sentences of UTF-8 text in any script, by one rule without words or languages.

A sentence ends

* at a line break: pages break lines between blocks, hardly ever within a sentence;
* behind terminals (`characters.TERMINAL`, the property Sentence_Terminal) and the closing marks that follow them, where
  white space or a letter of a script without spaces comes next;
* behind them anyway where the last terminal is one of 。 ． ！ ？ ｡, which no space follows.

So "3.14", "e.g." before a comma and "example.org" are not cut; "Dr. Müller" is, after the full stop. That is harmless
where sentences are compared: one text is always cut in the same way. Rules SB6 to SB8 of UAX #29, which look for a
lower-case letter behind a full stop, are left out with their tables.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import (
    ASCII_CLASS,
    TERMINAL,
    UNSPACED,
    WHITE_SPACE,
    Integer,
    character_class,
    decode,
    one_of,
)
from lauter.stages.kernels.lines import strip

_NEWLINE = 0x0A
# " ' ) ] } » ’ ” › 〉 》 」 』 】 〕 〗 ） ］ ｝ ｣
_CLOSING = np.array(
    [
        *(0x22, 0x27, 0x29, 0x5D, 0x7D, 0xBB, 0x2019, 0x201D, 0x203A, 0x3009, 0x300B),
        *(0x300D, 0x300F, 0x3011, 0x3015, 0x3017, 0xFF09, 0xFF3D, 0xFF5D, 0xFF63),
    ],
    np.int64,
)
# 。 ． ！ ？ ｡
_WIDE = np.array([0x3002, 0xFF0E, 0xFF01, 0xFF1F, 0xFF61], np.int64)


@kernel
def sentence_end(data: NDArray[np.uint8], position: Integer, end: Integer) -> tuple[Integer, bool]:
    """Where the terminals at `position` and what closes them end, and whether a sentence ends there."""
    wide = False
    while position < end:
        code, width = decode(data, position, end)
        if not character_class(code) & TERMINAL:
            break
        wide = one_of(code, _WIDE)
        position += width
    kind: Integer = WHITE_SPACE
    while position < end:
        code, width = decode(data, position, end)
        kind = character_class(code)
        if not one_of(code, _CLOSING):
            break
        kind = WHITE_SPACE
        position += width
    return position, wide or bool(kind & (WHITE_SPACE | UNSPACED))


@kernel
def sentence_spans(data: NDArray[np.uint8], start: Integer, end: Integer) -> NDArray[np.int64]:
    """Byte ranges of the sentences of `data[start:end]`, without white space at their ends: shape (sentences, 2)."""
    spans = np.empty((8, 2), np.int64)
    count = 0
    first = start
    position = start
    while position < end:
        byte = data[position]
        if byte < 0x80:
            kind: Integer = ASCII_CLASS[byte]
            width = 1
        else:
            code, width = decode(data, position, end)
            kind = character_class(code)
        if kind & TERMINAL:
            position, ends = sentence_end(data, position, end)
        else:
            position += width
            ends = byte == _NEWLINE
        if ends or position >= end:
            begin, stop = strip(data, first, position)
            if begin < stop:
                if count == len(spans):
                    wider = np.empty((2 * count, 2), np.int64)
                    wider[:count] = spans
                    spans = wider
                spans[count, 0] = begin
                spans[count, 1] = stop
                count += 1
            first = position
    return spans[:count]
