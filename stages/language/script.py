"""Which script a text is written in: its letters counted by Unicode script, and the ISO 15924 code that has most.

Only letters (general category L) count, so that digits, punctuation, symbols and spaces never outvote them. Scripts
that make up one writing system are taken together as in ISO 15924: Hiragana, Katakana and Han are `Jpan` where kana is
present, and Han alone is `Hani`. Korean is `Hang`. Whether a text can be in a language that is written with several of
them is another question, which `letters_of` answers: a Japanese headline may have no kana.

A letter counts for as many of an alphabet as say the same (`_WORTH`), or a Chinese page about software with English
names in it would be Latin. Where it is decided which script a text is in, Latin counts for half besides (`claims`).
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import DIGIT, MARK, PUNCTUATION, character_class, decode

UNDETERMINED = "Zyyy"
"""ISO 15924 "code for undetermined script": a text without letters."""

_CODE_POINTS = 0x110000
# Japanese running text is about half kana; Chinese text that quotes a Japanese name has well under a tenth.
_KANA_SHARE = 10
_SPACE = 0x20
_WRITTEN_WITH = {
    "Jpan": ("Hani", "Hira", "Kana"),
    "Kore": ("Hang", "Hani"),
    "Hang": ("Hani",),
    "Hans": ("Hani",),
    "Hant": ("Hani",),
}
# Letters of English for one of these, by the Declaration of Human Rights, of which every translation says the same: 3.4
# in Cantonese and Chinese, 2.6 in Korean, 1.7 to 2.1 in Tigrinya and Amharic; 2.4 in Japanese, a third of it Han. All
# other scripts have 0.7 to 1.6 (German, Hindi).
_WORTH = {"Hani": 3, "Hang": 3, "Hira": 2, "Kana": 2, "Ethi": 2}
# Names, commands, code and what was not translated are in Latin letters in pages of every language, and hardly ever the
# other way: of 1,441 documentation pages whose language is sure, those in a language of Latin script have 97 % Latin
# letters or more, those in another up to 77 %, one in thirty of them more than half.
_ANYWHERE = "Latn"
_HANDICAP = 2


class Scripts(NamedTuple):
    """The scripts, and which one each letter belongs to."""

    codes: tuple[str, ...]
    """ISO 15924 codes; `codes[0]` is `UNDETERMINED`. Sorted, so that a tie has one winner."""
    of: NDArray[np.uint8]
    """Shape (0x110000,): index into `codes` of a code point that is a letter, else 0."""
    worth: NDArray[np.int32]
    """Shape (len(codes),): letters of an alphabet that one letter counts for."""
    together: NDArray[np.bool_]
    """Shape (len(codes), len(codes)): whether a text that is mostly in the first script has letters of the second as a
    part of its writing. Every script goes with itself, and Han and kana with each other."""


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
    worth = np.array([_WORTH.get(code, 1) for code in codes], np.int32)
    together = np.eye(len(codes), dtype=np.bool_)
    for code, others in {**_WRITTEN_WITH, "Hani": ("Hira", "Kana")}.items():
        if code in codes:
            together[codes.index(code), [codes.index(other) for other in others]] = True
    of.flags.writeable = worth.flags.writeable = together.flags.writeable = False
    return Scripts(codes, of, worth, together)


@kernel
def count_letters(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    of: NDArray[np.uint8],
    worth: NDArray[np.int32],
    counts: NDArray[np.int32],
    visible: NDArray[np.int32],
) -> None:
    """Count the letters of each text by script, and all that is seen of it.

    Args:
        data: UTF-8 bytes of all texts. Bytes that are no UTF-8 are stepped over and never read past.
        offsets: Shape (n + 1,): text i is `data[offsets[i]:offsets[i + 1]]`.
        of: Shape (0x110000,): script of a code point, 0 for no letter.
        worth: Shape (scripts,): what a letter of a script counts for.
        counts: Shape (n, scripts), zeros: filled with letters per script, each for its worth.
        visible: Shape (n,), zeros: filled with letters, digits, punctuation and symbols together.
    """
    for row in range(len(offsets) - 1):
        at = offsets[row]
        end = offsets[row + 1]
        while at < end:
            point, width = decode(data, at, end)
            script = of[point]
            if script:
                counts[row, script] += worth[script]
                visible[row] += 1
            elif character_class(point) & (DIGIT | PUNCTUATION):
                visible[row] += 1
            at += width


def count_scripts(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Letters of each text per writing system, and letters, digits, punctuation and symbols of it together.

    Returns:
        `counts`, shape (n, len(scripts().codes)): letters for their worth; and `visible`, shape (n,): each for one.
    """
    codes, of, worth, _ = scripts()
    counts = np.zeros((len(offsets) - 1, len(codes)), np.int32)
    visible = np.zeros(len(offsets) - 1, np.int32)
    count_letters(data, offsets, of, worth, counts, visible)
    han, hiragana, katakana, japanese = (codes.index(code) for code in ("Hani", "Hira", "Kana", "Jpan"))
    kana = counts[:, hiragana] + counts[:, katakana]
    is_japanese = (kana > 0) & (kana * _KANA_SHARE >= kana + counts[:, han])
    counts[:, japanese] = np.where(is_japanese, kana + counts[:, han], 0)
    for part in (han, hiragana, katakana):
        counts[is_japanese, part] = 0
    return counts, visible


def claims(counts: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """What each script has a claim to a text with, shape (n, scripts): the text is in that with the largest.

    A script other than Latin has it from a third of the letters on.
    """
    weights = np.full(counts.shape[1], _HANDICAP, np.int64)
    weights[scripts().codes.index(_ANYWHERE)] = 1
    found: NDArray[np.int64] = counts * weights
    return found


@kernel
def keep_script(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    kept: NDArray[np.bool_],
    of: NDArray[np.uint8],
) -> None:
    """Blank the letters of other scripts, and the marks that follow them, with spaces, in place.

    Args:
        data: UTF-8 bytes of all texts.
        offsets: Shape (n + 1,).
        kept: Shape (n, scripts): the scripts whose letters stay in each text.
        of: Shape (0x110000,): script of a code point, 0 for no letter.
    """
    for row in range(len(offsets) - 1):
        at, end = offsets[row], offsets[row + 1]
        blank = False
        while at < end:
            point, width = decode(data, at, end)
            script = of[point]
            if script:
                blank = not kept[row, script]
            elif blank and not character_class(point) & MARK:
                blank = False
            if blank:
                data[at : at + width] = _SPACE
            at += width


def letters_of(script: str, counts: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """How many of the letters in `counts`, shape (n, scripts), can stand in a text written in `script`: shape (n,).

    Those of the script itself; with Han for Korean, and with Han and kana for Japanese, so that text without a kana
    ("東京都庁舎展望室入場無料") can be Japanese. Simplified and traditional Han are one script here.
    """
    codes = scripts().codes
    columns = [codes.index(code) for code in (script, *_WRITTEN_WITH.get(script, ())) if code in codes]
    letters: NDArray[np.int64] = counts[:, columns].sum(axis=1, dtype=np.int64)
    return letters
