"""The learned rule: which blocks of a page are its main text, and how good the rule expects that text to be.

Two looks, each by boosted trees: the second knows what the first said of the blocks around (stacking, as in Wolpert,
"Stacked generalization", Neural Networks 5, 1992). Its card, `models/card.json`, says how it was
trained and measured.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.extract.blocks.context import context
from lauter.stages.extract.blocks.cutting import PARENT, Blocks
from lauter.stages.extract.blocks.features import features
from lauter.stages.extract.blocks.odds import Odds
from lauter.stages.extract.blocks.text_run import CHARS, DIGITS, ELEMENT, IN_PRE, LETTERS, TERMS, WORDS
from lauter.stages.extract.blocks.trees import UNIT, Trees, scores
from lauter.stages.extract.markup import FNV_PRIME, FNV_START

EMBEDDED = Path(__file__).with_name("models") / "rule.npz"
"""The rule that is shipped."""
_REPEATED_CHARS = 40
"""A kept block of at least so many characters is left out where the same text was kept under another parent: pages
hold an article once for each width of a screen. Word F1 of WCXB rises from .897 to .900, of no set it falls by .008.
Under one parent it is the page's own repetition."""
_CERTAIN = 1 << 16
_STEPS = 64


Part = TypeVar("Part", Odds, Trees)


class Rule(NamedTuple):
    """All that decides."""

    words: Odds
    """Of words of classes and ids."""
    terms: Odds
    """Of words of the text."""
    first: Trees
    second: Trees


class Judgement(NamedTuple):
    """What the rule says of a page."""

    keep: NDArray[np.bool_]
    """(blocks,): the main text."""
    expected_f1: float
    """The word F1 that the text would have if the scores were true log-odds, 0 to 1; 0 where nothing is kept."""


def judge(rule: Rule, blocks: Blocks, *, keep_above: int) -> Judgement:
    """Ask the rule. A block is kept where its score is above `keep_above`, in units of 1 / UNIT of log-odds."""
    if not len(blocks.rows):
        return Judgement(np.zeros(0, np.bool_), 0.0)
    told, surroundings = features(blocks, rule.words, rule.terms)
    seen = scores(rule.first, told)
    score = scores(rule.second, np.hstack((told, context(seen, blocks, surroundings))))
    keep = score > keep_above
    likely = _likelihoods()[np.clip(score // _STEPS, -_CERTAIN // _STEPS, _CERTAIN // _STEPS) + _CERTAIN // _STEPS]
    words = blocks.rows[:, WORDS].astype(np.int64)
    right = int((likely * words)[keep].sum())
    kept_and_wanted = int(words[keep].sum()) * _CERTAIN + int((likely * words).sum())
    _with_code(blocks, keep)
    _without_repeats(blocks.rows, blocks.terms, blocks.elements, keep)
    return Judgement(keep, 2 * right / kept_and_wanted if right else 0.0)


def save(rule: Rule, path: Path) -> None:
    """Write a rule to one file, the same bytes for the same rule."""
    arrays = {
        f"{part}.{name}": array for part, value in rule._asdict().items() for name, array in value._asdict().items()
    }
    # Not compressed: what zlib makes of the same bytes depends on its version.
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load(path: Path) -> Rule:
    """Read a rule that `save` wrote. Raises `ValueError` if the file holds none, `OSError` if it can't be read."""
    try:
        with np.load(path, allow_pickle=False) as arrays:

            def part(name: str, kind: type[Part]) -> Part:
                return kind(*(arrays[f"{name}.{field}"] for field in kind._fields))

            rule = Rule(part("words", Odds), part("terms", Odds), part("first", Trees), part("second", Trees))
    except (BadZipFile, KeyError) as error:
        raise ValueError(f"{path} is no rule of `lauter extract train`") from error
    return rule


@cache
def _likelihoods() -> NDArray[np.int64]:
    # The logistic function of each step of scores, in 65536ths: integers, since the last bit of `exp` is the machine's.
    steps = np.arange(-_CERTAIN // _STEPS, _CERTAIN // _STEPS + 1) * (_STEPS / UNIT)
    likely: NDArray[np.int64] = np.rint(_CERTAIN / (1 + np.exp(-steps))).astype(np.int64)
    return likely


def _with_code(blocks: Blocks, keep: NDArray[np.bool_]) -> None:
    # The sets of truth are news above all and hold little code, and the rule drops what it does not know: a tenth of
    # the Debian handbook lost more than half of its text. What stands in a <pre> after the first kept block is kept.
    if keep.any():
        first = int(np.argmax(keep))
        keep[first:] |= blocks.rows[first:, IN_PRE] > 0


@kernel
def _without_repeats(
    rows: NDArray[np.int32], terms: NDArray[np.uint64], elements: NDArray[np.int32], keep: NDArray[np.bool_]
) -> None:
    size = 16
    while size < 2 * len(rows):
        size *= 2
    first = np.full(size, -1, np.int32)
    for block in range(len(rows)):
        if not keep[block] or rows[block, CHARS] < _REPEATED_CHARS:
            continue
        place = np.int64(_text_hash(rows[block], terms[block]) & np.uint64(size - 1))
        while first[place] >= 0 and not _same_text(rows, terms, first[place], block):
            place = (place + 1) & (size - 1)
        if first[place] < 0:
            first[place] = block
        elif elements[rows[first[place], ELEMENT], PARENT] != elements[rows[block, ELEMENT], PARENT]:
            keep[block] = False


@kernel
def _text_hash(row: NDArray[np.int32], terms: NDArray[np.uint64]) -> np.uint64:
    value = FNV_START ^ np.uint64(row[CHARS])
    for index in range(row[TERMS]):
        value = (value ^ terms[index]) * FNV_PRIME
    return value ^ (value >> np.uint64(32))


@kernel
def _same_text(rows: NDArray[np.int32], terms: NDArray[np.uint64], one: int, other: int) -> bool:
    # As far as it was counted: by its characters, words, digits and letters, and its first words.
    for column in (CHARS, WORDS, DIGITS, LETTERS, TERMS):
        if rows[one, column] != rows[other, column]:
            return False
    return bool(np.array_equal(terms[one], terms[other]))
