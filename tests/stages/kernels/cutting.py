"""Words of a text in plain Python: the reading that the kernels are held against."""

from __future__ import annotations

import re

from icu4py.breakers import WordBreaker

from lauter.stages.kernels.characters import MARK, SEPARATOR, UNSPACED, expand_classes
from lauter.stages.kernels.segmentation import MAX_RUN

CLASSES = expand_classes()
BLOCKS = (
    *((0x0E00, 0x0F00), (0x1000, 0x10A0), (0x1780, 0x1800), (0x2E80, 0x3100), (0x3130, 0x31A0), (0x31C0, 0xA000)),
    *((0xA9E0, 0xAA00), (0xAA60, 0xAA80), (0xF900, 0xFB00), (0xFF00, 0x10000), (0x116D0, 0x11700), (0x1AFF0, 0x1B170)),
    (0x1F200, 0x110000),
)


def kind(char: str) -> int:
    return int(CLASSES[ord(char)])


def in_dictionary(char: str) -> bool:
    return any(first <= ord(char) < last for first, last in BLOCKS)


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def cut_run(run: str) -> list[str]:
    """The words of one run, which ICU is given alone, and as it stands."""
    words = [""]
    ends = {end for _, end in WordBreaker(run, "root").segments()}
    at = 0
    for char in run:
        if at in ends:
            words.append("")
        words[-1] += char
        at += units(char)
    return words


def cut(text: str) -> list[str]:
    """The words of a text: separators between them, runs of dictionary scripts by ICU, other unspaced letters alone."""

    def letter(char: str) -> str:
        if kind(char) & SEPARATOR:
            return " "
        if kind(char) & MARK:
            return "m"
        return ("d" if in_dictionary(char) else "u") if kind(char) & UNSPACED else "x"

    pattern = "".join(map(letter, text))
    words: list[str] = []
    for found in re.finditer(rf"d[dm]{{0,{MAX_RUN - 1}}}m*|um*|[xm]+", pattern):
        run = text[found.start() : found.end()]
        words += cut_run(run) if found.group()[0] == "d" else [run]
    return words
