"""Whether a text may hold a consent notice: one pass over its bytes, before `banners` reads it line by line.

A notice holds one of the words for cookies, and its first four bytes are looked for: 35 searches in a lowered text take
ten times as long. Letters of ASCII are found in capitals or not, others where all of a word, its first or no letter is
one. Words with letters as entities are not found.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.extract.banners import words_for_cookies
from lauter.stages.extract.markup import follows, is_letter

_BYTES = 4
_FACTOR = np.uint32(0x9E3779B1)
"""2**32 by the golden ratio: spreads the beginnings over the table (Knuth, TAOCP 3, 6.4)."""
_BITS = 16


def may_hold_notice(text: NDArray[np.uint8]) -> bool:
    """Whether one of the words for cookies may stand in a text of UTF-8; False is certain but for odd spellings."""
    return bool(_any(text, *_words()))


@cache
def _words() -> tuple[NDArray[np.bool_], NDArray[np.uint8], NDArray[np.int64]]:
    # The table of places that beginnings have; the words one after the other, and where each begins.
    forms = {form for word in words_for_cookies() for form in (word, word.upper(), word.capitalize())}
    words = sorted({bytes(byte | 32 if 65 <= byte <= 90 else byte for byte in form.encode()) for form in forms})
    table = np.zeros(1 << _BITS, np.bool_)
    for word in words:
        table[_place(np.uint32(int.from_bytes(word[:_BYTES], "big")))] = True
    return table, np.frombuffer(b"".join(words), np.uint8), np.cumsum([0, *map(len, words)])


@kernel
def _place(beginning: np.uint32) -> np.uint32:
    return np.uint32(beginning * _FACTOR) >> np.uint32(32 - _BITS)


@kernel
def _any(
    text: NDArray[np.uint8], table: NDArray[np.bool_], words: NDArray[np.uint8], bounds: NDArray[np.int64]
) -> bool:
    value = np.uint32(0)
    for index in range(len(text)):
        byte = text[index]
        value = np.uint32(value << np.uint32(8)) | np.uint32(byte | 32 if is_letter(byte) else byte)
        if table[_place(value)] and index >= _BYTES - 1:
            for word in range(len(bounds) - 1):
                if follows(text, index - _BYTES + 1, len(text), words[bounds[word] : bounds[word + 1]]):
                    return True
    return False
