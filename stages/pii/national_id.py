"""National identity, insurance and tax numbers of persons; the checks are python-stdnum's.

Numbers are found by their *shape*: digits, capitals and signs as they are usually written. One expression over the
shapes of a window finds all countries' numbers in one pass; what a shape may be is then checked one by one. Bare digits
pass one check digit in ten by chance, so how sure a format is by itself decides what else must speak for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from lauter.stages.pii import national_check
from lauter.stages.pii.recogniser import Find, Hit, Refine

Strength = Literal["alone", "region", "cue"]


class Format(BaseModel):
    """How the numbers of one kind are written, and what must speak for one besides its check digits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str
    """Module of python-stdnum, or a function of `national_check` with `own:` before it."""
    shapes: tuple[str, ...]
    """0 a digit, A a capital, B a letter, X a digit or capital; `_` is a space; all else stands for itself."""
    strength: Strength
    """`alone`: nothing, as one running number in 10,000 or fewer passes; `region`: a document from there, or a cue, as
    it has a date, two check digits or a rare shape; `cue`: a word that names it, in the 64 bytes before."""
    regions: frozenset[str]
    cue: str
    """A regular expression for words that name it, in any case."""


FORMATS: dict[str, Format] = {
    name: Format.model_validate(given)
    for name, given in yaml.safe_load(Path(__file__).with_name("national_ids.yaml").read_text("utf-8")).items()
}
"""Name -> format, numbers of persons alone."""

_LEFT = r"(?<![0Aa_])(?<![0Aa][.,/-])"
_RIGHT = r"(?![0Aa_]|[.,/-][0Aa])"
_GENERAL_CUE = (
    r"national id|identity (?:card|number|no)|id (?:card|number|no\.?)\b|personal (?:id|number|code)|personalausweis|"
    r"passport|social security|tax (?:id|number|no)|fiscal"
)
_TABLE = (
    dict.fromkeys(range(48, 58), "0")
    | dict.fromkeys(range(65, 91), "A")
    | dict.fromkeys(range(97, 123), "a")
    | {0xA0: " "}
)
_CLASSES = {"0": "0", "A": "A", "B": "[Aa]", "X": "[0A]", "_": " "}


def shape(text: str) -> str:
    """A text with 0 for each digit, A for each capital and a for each small letter; code points keep their places.

    >>> shape("X-1234567-L")
    'A-0000000-A'
    """
    return text.translate(_TABLE)


def _expression(template: str) -> str:
    return "".join(_CLASSES.get(character, re.escape(character)) for character in template)


def find(names: tuple[str, ...]) -> Find:
    """Texts in the shape of one of the named formats, the longest at each place."""
    templates = sorted({part for name in names for part in FORMATS[name].shapes}, key=lambda t: (-len(t), t))
    pattern = re.compile(f"{_LEFT}(?:{'|'.join(map(_expression, templates))}){_RIGHT}")

    def spans(text: str, _regions: tuple[str, ...]) -> Iterator[tuple[int, int]]:
        for match in pattern.finditer(shape(text)):
            yield match.span()

    return spans


def refine(names: tuple[str, ...], *, need_context: bool) -> Refine:
    """Take a number that one of the named formats vouches for, `need_context` with what its strength asks besides."""
    chosen = [
        (
            re.compile("|".join(map(_expression, FORMATS[name].shapes))),
            FORMATS[name],
            FORMATS[name].regions,
            re.compile(f"(?i){FORMATS[name].cue}"),
            validator(name),
        )
        for name in names
    ]
    general = re.compile(f"(?i){_GENERAL_CUE}")

    @cache
    def of_shape(text: str) -> tuple[int, ...]:
        return tuple(place for place, (pattern, *_) in enumerate(chosen) if pattern.fullmatch(text))

    def decide(hit: Hit) -> tuple[int, int] | None:
        for place in of_shape(shape(hit.text)):
            _, format_, regions, cue, is_valid = chosen[place]
            local = not regions.isdisjoint(hit.place.regions)
            if (
                not need_context
                or format_.strength == "alone"
                or (format_.strength == "region" and local)
                or cue.search(hit.before)
                or (local and general.search(hit.before))
            ) and is_valid(hit.text.replace("\u00a0", " ")):
                return 0, len(hit.text)
        return None

    return decide


@cache
def validator(name: str) -> Callable[[str], bool]:
    """Whether a text is written as a number of one format is, and its check holds."""
    source = FORMATS[name].check
    written = re.compile("|".join(map(_expression, FORMATS[name].shapes)))
    check: Callable[[str], bool]
    if source.startswith("own:"):
        check = getattr(national_check, source[4:])
    else:
        check = import_module(f"stdnum.{source}").is_valid

    def is_valid(number: str) -> bool:
        return written.fullmatch(shape(number)) is not None and bool(check(number))

    return is_valid
