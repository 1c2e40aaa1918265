"""Which script a text is written in: its letters counted by Unicode script, and the ISO 15924 code that has most.

Only letters (general category L) count, so that digits, punctuation, symbols and spaces never outvote them. Scripts
that make up one writing system are taken together as in ISO 15924: Hiragana, Katakana and Han are `Jpan` where kana is
present, and Han alone is `Hani`. Korean is `Hang`. Whether a text can be in a language that is written with several of
them is another question, which `letters_of` answers: a Japanese headline may have no kana.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import decode

UNDETERMINED = "Zyyy"
"""ISO 15924 "code for undetermined script": a text without letters."""

_CODE_POINTS = 0x110000
# Japanese running text is about half kana; Chinese text that quotes a Japanese name has well under a tenth.
_KANA_SHARE = 10
_WRITTEN_WITH = {"Jpan": ("Hani", "Hira", "Kana"), "Kore": ("Hang", "Hani"), "Hang": ("Hani",)}


class Scripts(NamedTuple):
    """The scripts, and which one each letter belongs to."""

    codes: tuple[str, ...]
    """ISO 15924 codes; `codes[0]` is `UNDETERMINED`. Sorted, so that a tie has one winner."""
    of: NDArray[np.uint8]
    """Shape (0x110000,): index into `codes` of a code point that is a letter, else 0."""


@cache
def scripts() -> Scripts:
    """The scripts of Unicode 18.0.0, read from the table beside this file, and `Jpan`."""
    lines = resources.files(__package__).joinpath("script-letters.txt").read_text("utf-8").splitlines()
    table = {code: ranges for code, *ranges in (line.split() for line in lines if not line.startswith("#"))}
    codes = (UNDETERMINED, *sorted([*table, "Jpan"]))
    of = np.zeros(_CODE_POINTS, np.uint8)
    for code, ranges in table.items():
        for span in ranges:
            first, _, last = span.partition("-")
            of[int(first, 16) : int(last or first, 16) + 1] = codes.index(code)
    of.setflags(write=False)
    return Scripts(codes, of)


@kernel
def count_letters(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    max_chars: int,
    of: NDArray[np.uint8],
    counts: NDArray[np.int32],
    ends: NDArray[np.int64],
) -> None:
    """Count the letters of each text by script.

    Args:
        data: UTF-8 bytes of all texts. Bytes that are no UTF-8 are stepped over and never read past.
        offsets: Shape (n + 1,): text i is `data[offsets[i]:offsets[i + 1]]`.
        max_chars: Code points of each text that are read.
        of: Shape (0x110000,): script of a code point, 0 for no letter.
        counts: Shape (n, scripts), zeros: filled with letters per script.
        ends: Shape (n,): filled with the byte in `data` where the part that was read ends.
    """
    for row in range(len(offsets) - 1):
        at = offsets[row]
        end = offsets[row + 1]
        chars = 0
        while at < end and chars < max_chars:
            point, width = decode(data, at, end)
            script = of[point]
            if script:
                counts[row, script] += 1
            at += width
            chars += 1
        ends[row] = at


def count_scripts(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], max_chars: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Letters per writing system of the first `max_chars` code points of each text.

    Returns:
        `counts`, shape (n, len(scripts().codes)), and `ends`, shape (n,): the byte in `data` after the last code point
        that was read.
    """
    codes, of = scripts()
    counts = np.zeros((len(offsets) - 1, len(codes)), np.int32)
    ends = np.zeros(len(offsets) - 1, np.int64)
    count_letters(data, offsets, max_chars, of, counts, ends)
    han, hiragana, katakana, japanese = (codes.index(code) for code in ("Hani", "Hira", "Kana", "Jpan"))
    kana = counts[:, hiragana] + counts[:, katakana]
    is_japanese = (kana > 0) & (kana * _KANA_SHARE >= kana + counts[:, han])
    counts[:, japanese] = np.where(is_japanese, kana + counts[:, han], 0)
    counts[is_japanese, han] = 0
    counts[is_japanese, hiragana] = 0
    counts[is_japanese, katakana] = 0
    return counts, ends


def letters_of(script: str, counts: NDArray[np.int32]) -> int:
    """How many of the letters in `counts`, shape (scripts,), can stand in a text written in `script`.

    Those of the script itself; with Han for Korean, and with Han and kana for Japanese, so that text without a kana
    ("東京都庁舎展望室入場無料") can be Japanese.
    """
    codes = scripts().codes
    return sum(int(counts[codes.index(code)]) for code in (script, *_WRITTEN_WITH.get(script, ())) if code in codes)
