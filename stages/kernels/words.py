"""Words of UTF-8 text in any script, and their 64-bit hashes.

A word is a maximal run of characters that are no separators (`characters.SEPARATOR`: Unicode white space and the few
marks that stand between words), except that each letter of a script written without spaces is a word of its own,
together with the marks that follow it. So "Grüße, 世界" has three words, and a Tibetan word is a syllable. No
dictionary is needed, and cutting a text never depends on its language. Where words as people know them are wanted,
`segmentation.word_begins` looks them up and `next_cut_word` cuts there: two words in the example.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import (
    ASCII_CLASS,
    DIGIT,
    MARK,
    PUNCTUATION,
    SEPARATOR,
    UNSPACED,
    Integer,
    character_class,
    decode,
    lower,
)

FOLD_CASE = 1
"""Flag: hash the simple lower-case mapping of each character."""
DROP_PUNCTUATION = 2
"""Flag: leave out punctuation, symbols and control characters; a word of nothing else is skipped."""
FOLD_DIGITS = 4
"""Flag: hash every decimal digit as "0"."""

FNV_OFFSET = np.uint64(0xCBF29CE484222325)
FNV_PRIME = np.uint64(0x100000001B3)
"""The 64-bit parameters of FNV-1a (Fowler, Noll and Vo)."""
_MIX_1 = np.uint64(0xFF51AFD7ED558CCD)
_MIX_2 = np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT = np.uint64(33)
_ZERO = 0x30


class TextBuffers(NamedTuple):
    """An Arrow text column as two arrays: row i is `data[offsets[i]:offsets[i + 1]]`."""

    offsets: NDArray[np.int64]
    """Shape (n + 1,)."""
    data: NDArray[np.uint8]
    """The UTF-8 bytes, shared with the column and read-only."""


def text_buffers(array: pa.Array[Any]) -> TextBuffers:
    """View a `string`, `large_string`, `binary` or `large_binary` array without copying its bytes.

    Slices are respected: `offsets` starts where the slice does. Nulls are empty texts; a column that has any is copied,
    because Arrow allows bytes under a null. Raises `TypeError` for any other type.
    """
    if pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type):
        width: np.dtype[Any] = np.dtype(np.int64)
    elif pa.types.is_string(array.type) or pa.types.is_binary(array.type):
        width = np.dtype(np.int32)
    else:
        raise TypeError(f"text must be string or binary, not {array.type}")
    if array.null_count:
        array = array.fill_null(b"" if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type) else "")
    _, offset_buffer, data_buffer = array.buffers()
    data = _view(data_buffer, np.dtype(np.uint8))
    offsets = np.zeros(1, np.int64)
    if len(array):
        offsets = _view(offset_buffer, width)[array.offset : array.offset + len(array) + 1].astype(np.int64, copy=False)
    # Always read-only: numba compiles anew for an array that is not, and an empty batch would cost seconds.
    offsets.flags.writeable = data.flags.writeable = False
    return TextBuffers(offsets, data)


def _view(buffer: pa.Buffer | None, dtype: np.dtype[Any]) -> NDArray[Any]:
    # Arrow's buffers speak the buffer protocol; before Python 3.12 no type can say so.
    return np.frombuffer(b"" if buffer is None else cast(bytes, buffer), dtype)


# Twice the same walk, here and in `next_cut_word`: to ask whether there are cuts made hashing 15 % slower.
@kernel
def next_word(data: NDArray[np.uint8], position: Integer, end: Integer) -> tuple[Integer, Integer]:
    """The byte range [start, stop) of the first word at or after `position`; (end, end) if there is none.

    The caller moves on with `position = stop`.
    """
    kind: Integer = SEPARATOR
    width = 1
    while position < end:
        byte = data[position]
        if byte < 0x80:
            kind, width = ASCII_CLASS[byte], 1
        else:
            code, width = decode(data, position, end)
            kind = character_class(code)
        if not kind & SEPARATOR:
            break
        position += width
    if position >= end:
        return end, end
    start = position
    position += width
    alone = kind & UNSPACED
    while position < end:
        byte = data[position]
        if byte < 0x80:
            kind, width = ASCII_CLASS[byte], 1
        else:
            code, width = decode(data, position, end)
            kind = character_class(code)
        if kind & (SEPARATOR | UNSPACED) or (alone and not kind & MARK):
            break
        position += width
    return start, position


@kernel
def next_cut_word(
    data: NDArray[np.uint8], position: Integer, end: Integer, begins: NDArray[np.uint8]
) -> tuple[Integer, Integer, Integer]:
    """As `next_word`, but letters of a script without spaces make up the words that `segmentation.word_begins` found.

    `begins` is what it returned. The third result is UNSPACED if the word is one of them, else 0.
    """
    kind: Integer = SEPARATOR
    width = 1
    while position < end:
        byte = data[position]
        if byte < 0x80:
            kind, width = ASCII_CLASS[byte], 1
        else:
            code, width = decode(data, position, end)
            kind = character_class(code)
        if not kind & SEPARATOR:
            break
        position += width
    if position >= end:
        return end, end, 0
    start = position
    position += width
    alone = kind & UNSPACED
    while position < end:
        byte = data[position]
        if byte < 0x80:
            kind, width = ASCII_CLASS[byte], 1
        else:
            code, width = decode(data, position, end)
            kind = character_class(code)
        if kind & SEPARATOR:
            break
        if kind & UNSPACED:
            if begins[position]:
                break
        elif alone and not kind & MARK:
            break
        position += width
    return start, position, alone


@kernel
def cut_word_spans(
    data: NDArray[np.uint8], start: Integer, end: Integer, begins: NDArray[np.uint8]
) -> NDArray[np.int64]:
    """Byte ranges of the words of `data[start:end]` by `next_cut_word`: shape (words, 2), half-open."""
    spans = np.empty(((end - start + 1) // 2, 2), np.int64)
    count = 0
    position = start
    while True:
        first, position, _ = next_cut_word(data, position, end, begins)
        if first == position:
            return spans[:count]
        spans[count, 0] = first
        spans[count, 1] = position
        count += 1


@kernel
def word_spans(data: NDArray[np.uint8], start: Integer, end: Integer) -> NDArray[np.int64]:
    """Byte ranges of the words of `data[start:end]`: shape (words, 2), half-open, positions in `data`."""
    spans = np.empty(((end - start + 1) // 2, 2), np.int64)
    count = 0
    position = start
    while True:
        first, position = next_word(data, position, end)
        if first == position:
            return spans[:count]
        spans[count, 0] = first
        spans[count, 1] = position
        count += 1


@kernel
def finish_hash(value: np.uint64) -> np.uint64:
    """Mix all bits into all bits: the 64-bit finaliser of MurmurHash3."""
    value = (value ^ (value >> _SHIFT)) * _MIX_1
    value = (value ^ (value >> _SHIFT)) * _MIX_2
    return value ^ (value >> _SHIFT)


@kernel
def hash_words(data: NDArray[np.uint8], start: Integer, end: Integer, flags: int) -> tuple[NDArray[np.uint64], int]:
    """64-bit hashes of the words of `data[start:end]`, in order, shape (words,), and how many words are numbers.

    The hash is FNV-1a over code points instead of bytes (state = (state ^ code point) * prime mod 2**64), then
    `finish_hash`. `flags` is a sum of FOLD_CASE, DROP_PUNCTUATION and FOLD_DIGITS; words are cut first and folded
    then, and a word of which nothing is left is skipped. A number is a word of which only decimal digits are left; they
    are counted with FOLD_DIGITS.
    """
    hashes = np.empty((end - start + 1) // 2, np.uint64)
    count, numbers = 0, 0
    position = start
    while True:
        first, position = next_word(data, position, end)
        if first == position:
            return hashes[:count], numbers
        state = FNV_OFFSET
        kept, digits = 0, 0
        while first < position:
            byte = data[first]
            if byte < 0x80:
                code: Integer = np.int64(byte)
                kind: Integer = ASCII_CLASS[byte]
                first += 1
            else:
                code, width = decode(data, first, position)
                kind = character_class(code) if flags & (DROP_PUNCTUATION | FOLD_DIGITS) else 0
                first += width
            if flags & DROP_PUNCTUATION and kind & PUNCTUATION:
                continue
            if flags & FOLD_DIGITS and kind & DIGIT:
                code = _ZERO
                digits += 1
            if flags & FOLD_CASE:
                if code >= 0x80:
                    code = lower(code)
                elif 0x41 <= code <= 0x5A:
                    code += 0x20
            state = (state ^ np.uint64(code)) * FNV_PRIME
            kept += 1
        if kept:
            hashes[count] = finish_hash(state)
            count += 1
            numbers += digits == kept


@kernel
def hash_whole(data: NDArray[np.uint8], start: Integer, end: Integer, flags: int) -> np.uint64:
    """The hash that `hash_words` gives a word, of all of `data[start:end]` as one word; FOLD_DIGITS is not known here.

    For what a list calls a word: `hash_words` would cut 学习 or ภาษา into letters. 0 if nothing is left.
    """
    state = FNV_OFFSET
    kept = 0
    while start < end:
        code, width = decode(data, start, end)
        start += width
        if flags & DROP_PUNCTUATION and character_class(code) & PUNCTUATION:
            continue
        state = (state ^ np.uint64(lower(code) if flags & FOLD_CASE else code)) * FNV_PRIME
        kept += 1
    return finish_hash(state) if kept else np.uint64(0)


@kernel
def word_hashes(data: NDArray[np.uint8], start: Integer, end: Integer, flags: int) -> NDArray[np.uint64]:
    """64-bit hashes of the words of `data[start:end]`, in order, shape (words,): the first result of `hash_words`."""
    return hash_words(data, start, end, flags)[0]
