"""What is known of a label's language and script: names, family, macrolanguage, and codes that mean the same.

ISO 639-3 has individual languages and macrolanguages, and models differ in which of the two they answer with: GlotLID
says `fas` and lid.176 `fa` where a list of languages says `pes`. Every step between them is in the tables beside this
file, which name their sources and licences; none is in code.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Literal, NamedTuple

Scope = Literal["I", "M", "C", "S", "R"]
"""Individual language, macrolanguage, collection, special situation, retired code."""

LIVE: tuple[Scope, ...] = ("I", "M")
"""Scopes of codes that stand for a language in ISO 639-3 as it is."""


class Language(NamedTuple):
    """A row of the register of languages."""

    code: str
    """ISO 639-3, or ISO 639-5 for a collection."""
    alpha2: str
    """ISO 639-1, or empty."""
    scope: Scope
    macrolanguage: str
    """The macrolanguage that it is a member of, or empty."""
    replacement: str
    """What a retired code became, or empty."""
    names: tuple[str, ...]
    """In English; the first is the one that is shown."""


class Described(NamedTuple):
    """A label in words."""

    label: str
    name: str
    """Name of the language, without a note on its scope; the code itself where no table has it."""
    family: str
    """Top-level family, `Isolate`, or empty where none is known."""
    script: str
    """Name of the script; the code itself where no table has it."""
    macrolanguage: str
    """ISO 639-3 code of the macrolanguage, or empty."""


def rows(table: str) -> Iterator[list[str]]:
    """The rows of a table of this package, its comments left out, cut at tabs."""
    for line in resources.files(__package__).joinpath(table).read_text("utf-8").splitlines():
        if not line.startswith("#"):
            yield line.split("\t")


@cache
def languages() -> Mapping[str, Language]:
    """Every language by its three-letter code."""
    found = {}
    for code, alpha2, scope, macrolanguage, replacement, names in rows("languages.tsv"):
        found[code] = Language(code, alpha2, scope, macrolanguage, replacement, tuple(names.split("; ")))  # type: ignore[arg-type]
    return found


@cache
def script_names() -> Mapping[str, str]:
    """The English name of every script by its ISO 15924 code."""
    return {code: names.partition("; ")[0].partition(" (alias")[0] for code, names in rows("scripts.tsv")}


@cache
def families() -> Mapping[str, str]:
    """The top-level family of a language by its code; `Isolate` for one that is related to no other."""
    return {code: family for family, codes in rows("families.tsv") for code in codes.split(" ")}


@cache
def predominant() -> Mapping[str, str]:
    """Macrolanguage -> the individual language that a text filed under it is in (`zho` -> `cmn`)."""
    return dict(rows("macrolanguages.tsv"))


@cache
def _three_letters() -> Mapping[str, str]:
    return {language.alpha2: code for code, language in languages().items() if language.alpha2}


def macrolanguage_of(code: str) -> str | None:
    """The macrolanguage of a code: of `quy` it is `que`, of `hrv` `hbs`, of `deu` there is none."""
    language = languages().get(code)
    return (language.macrolanguage or None) if language else None


def members(macrolanguage: str) -> tuple[str, ...]:
    """The live members of a macrolanguage, in order of code.

    >>> members("hbs")
    ('bos', 'cnr', 'hrv', 'srp')
    """
    return tuple(
        code
        for code, language in languages().items()
        if language.macrolanguage == macrolanguage and language.scope in LIVE
    )


def describe(label: str) -> Described:
    """A label in words, whether or not any model has it.

    >>> describe("gsw_Latn")[1:4]
    ('Swiss German', 'Indo-European', 'Latin')
    """
    code, _, script = label.partition("_")
    language = languages().get(code)
    return Described(
        label,
        language.names[0].removesuffix(" (individual language)").removesuffix(" (macrolanguage)") if language else code,
        families().get(code, ""),
        script_names().get(script, script),
        language.macrolanguage if language else "",
    )


def resolve(code: str, known: Container[str]) -> str | None:
    """Which of the `known` three-letter codes means the same as a code of ISO 639-1, ISO 639-3 or an older ISO 639-3.

    In this order: the code itself, what a retired code became, the predominant member of a macrolanguage, and the
    macrolanguage of a member. So `zh` and `zho` find `cmn`, `pes` finds `fas` where only that is known, and `iw` or
    `xx` find nothing.

    >>> resolve("et", {"ekk", "fin"}), resolve("pes", {"fas"}), resolve("quz", {"quy"})
    ('ekk', 'fas', None)
    """
    three = _three_letters().get(code, code)
    language = languages().get(three)
    steps = [three]
    if language is not None:
        steps += [language.replacement, predominant().get(three, ""), language.macrolanguage]
    return next((step for step in steps if step and step in known), None)
