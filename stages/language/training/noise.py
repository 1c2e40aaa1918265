"""Makes up text that is no language, for the label `zxx_Zzzz`: code, encoded bytes, keys, paths, lists of names.

What is made is what the text of web pages has in place of language. It is a function of the seed, and of words that
are common in programs and markup (a list here; each is a term of its language's specification).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator

import numpy as np

from lauter.stages.language.training.numbers import below, key_of, number

_CODE = (
    "abs args array assert async await bool boolean break byte case catch char class const continue def default "
    "del delete do double dtype elif else enum except export extends false final finally float fn for foreach "
    "from func function global goto if impl implements import in include inline int interface is lambda len let "
    "list long loop map match mut namespace new nil none not null object operator override package pass print "
    "printf private protected public raise range ref require return self set signed sizeof static str string "
    "struct super switch template this throw throws trait true try tuple type typedef typename uint undefined "
    "union unsigned use using val var vector virtual void volatile where while with yield"
)
_MARKUP = (
    "align alt aria auto background block body bold border bottom box br button center checkbox class col color "
    "colspan css data display div em flex float font footer form grid head header height hidden href hr html http "
    "https iframe img index inline input javascript jpg js json label left li link margin max media meta min nav "
    "nbsp none npm ol onclick option overflow padding pdf php png position px rel rgba right row script select "
    "shadow size solid span src style svg table tbody td text th title top tr transform transition ul url utf var "
    "width wrap www xhtml xml"
)
_PARTS = (
    "add app arg auth base bin bit buf cache call cfg check client cmd col conf config conn count ctx cur data db "
    "del dev dir doc elem end env err event ext fetch file flag fmt get handle hash hex host idx info init io "
    "item key lib line link list load lock log main max min mod mode msg name net next node num obj opt out page "
    "parse path pos prev proc ptr query read req res ret root row run send seq server set size sock src start "
    "state stat sub sync sys tag task temp test time tmp token top tree type url user util val view write"
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class _Numbers:
    """A sequence of random numbers."""

    def __init__(self, seed: int, line: int) -> None:
        self._key, self._place = key_of(seed, "noise", line), 0

    def below(self, limit: int) -> int:
        self._place += 1
        return int(below(np.uint64(number(self._key, self._place)), limit))

    def choose(self, among: list[str] | str) -> str:
        return among[self.below(len(among))]

    def bytes(self, count: int) -> bytes:
        return bytes(self.below(256) for _ in range(count))


def noise_lines(seed: int, count: int) -> Iterator[str]:
    """`count` lines that are no language, of all kinds in turn."""
    for line in range(count):
        numbers = _Numbers(seed, line)
        make = _KINDS[line % len(_KINDS)]
        yield " ".join(make(numbers) for _ in range(1 + numbers.below(4)))


def _program(numbers: _Numbers) -> str:
    words = []
    for _ in range(4 + numbers.below(12)):
        kind = numbers.below(4)
        if kind == 0:
            words.append(numbers.choose(_CODE.split()))
        elif kind == 1:
            words.append("_".join(numbers.choose(_PARTS.split()) for _ in range(1 + numbers.below(3))))
        elif kind == 2:
            words.append("".join(numbers.choose(_PARTS.split()) for _ in range(1 + numbers.below(3))))
        else:
            words.append(numbers.choose(_LETTERS))
    return " ".join(words)


def _markup(numbers: _Numbers) -> str:
    return " ".join(numbers.choose(_MARKUP.split()) for _ in range(4 + numbers.below(14)))


def _base64(numbers: _Numbers) -> str:
    return base64.b64encode(numbers.bytes(9 + numbers.below(60))).decode()


def _hexadecimal(numbers: _Numbers) -> str:
    return " ".join(numbers.bytes(4 + numbers.below(16)).hex() for _ in range(1 + numbers.below(6)))


def _address(numbers: _Numbers) -> str:
    steps = [numbers.choose(f"{_PARTS} {_MARKUP}".split()) for _ in range(2 + numbers.below(5))]
    end = numbers.choose(["html", "php", "jpg", "png", "pdf", "js", "css", "xml", "com", "org", "net"])
    return f"https://www.{'-'.join(steps[:2])}.com/{'/'.join(steps)}.{end}"


def _gibberish(numbers: _Numbers) -> str:
    words = (
        "".join(numbers.choose(_LETTERS) for _ in range(1 + numbers.below(11))) for _ in range(3 + numbers.below(15))
    )
    return " ".join(words)


_KINDS: tuple[Callable[[_Numbers], str], ...] = (
    _program, _markup, _base64, _hexadecimal, _address, _gibberish
)  # fmt: skip
