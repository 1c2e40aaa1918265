"""Directives to robots in a page: meta elements and X-Robots-Tag, for everyone or for one agent.

The grammar is that of Google's "Robots meta tag, data-nosnippet, and X-Robots-Tag specifications", with the words that
DeviantArt and Spawning added: `noai`, `noimageai`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

OPT_OUTS = frozenset({"noai", "noimageai", "noindex", "none"})
"""Directives that this project acts on."""

_WITH_VALUE = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
_KNOWN = OPT_OUTS | {
    *("all", "index", "follow", "nofollow", "noarchive", "nocache", "nosnippet", "noimageindex", "notranslate"),
    *("noodp", "noydir", "indexifembedded", "nositelinkssearchbox", "noyaca", "archive", "snippet"),
}
# `name=“robots” content=“noai”` is what a word processor makes of a meta element, `\"robots\"` what a script does.
QUOTES = "\"'\\\\\u2018-\u201f\u00ab\u00bb"
"""A class of a regular expression: quotes that stand around or in a value, as text, and the backslash."""
_TOKENS = re.compile(rf"[\s,;{QUOTES}]+")
# What follows the comma in `unavailable_after: Wed, 03 Dec 2025 13:09:53 GMT` or `Jun 25, 2010 15:00:00 PST`. No name
# of an agent is a number (360Spider begins with one).
_REST_OF_DATE = re.compile(r"\s*[0-9]{1,4}[\s-]").match
# Directives before a name, then the name (some have a space in it) or the directive that a value belongs to.
_SCOPE = re.compile(rf"\s*((?:(?:{'|'.join(sorted(_KNOWN))})[\s;]+)*)([^\s:,;]+(?: [^\s:,;]+)*)\s*:").match
# Of 26 elements with the content `none` in 4,154 public pages 24 say it of a colour or a tile.
_NO_AGENT = re.compile(r".*:|msapplication-|apple-|x-rim-|format-detection").match
_EVERYONE = frozenset({"robots", "*"})


class Directive(NamedTuple):
    """One word, and the agent that it is said to: lower case, "" for everyone."""

    agent: str
    word: str


def is_agents_directives(name: str, content: str) -> bool:
    """Whether a meta element speaks to an agent of that name: it holds directives and nothing else, one an opt-out.

    >>> is_agents_directives("gptbot", "noindex, nofollow"), is_agents_directives("msapplication-config", "none")
    (True, False)
    """
    words = [word for word in _TOKENS.split(content.lower()) if word]
    known = all(word in _KNOWN or word.partition(":")[0] in _WITH_VALUE for word in words)
    return bool(name) and known and not OPT_OUTS.isdisjoint(words) and not _NO_AGENT(name)


def meta_directives(name: str, content: str) -> Iterator[Directive]:
    """The opt-outs of `<meta name=… content=…>`; the name `robots` is everyone, any other an agent."""
    agent = name.strip().lower()
    return _said("" if agent in _EVERYONE else agent, content.lower())


def header_directives(value: str) -> Iterator[Directive]:
    """The opt-outs of an X-Robots-Tag value; an agent's name with a colon speaks for all that follows, up to the next.

    >>> list(header_directives("noai, GPTBot: noindex, nofollow, unavailable_after: Wed, 03 Dec 2025 13:09:53 GMT"))
    [Directive(agent='', word='noai'), Directive(agent='gptbot', word='noindex')]
    """
    agent, dated = "", False
    for piece in value.lower().split(","):
        if dated and _REST_OF_DATE(piece):
            dated = False
            continue
        dated = False
        while scope := _SCOPE(piece):
            if scope[2] in _WITH_VALUE:
                dated = scope[2] == "unavailable_after"
                rest = "" if dated else piece[scope.end() :].lstrip().partition(" ")[2]
                piece = f"{scope[1]} {rest}"
                break
            yield from _said(agent, scope[1])
            agent = "" if scope[2] in _EVERYONE else scope[2]
            piece = piece[scope.end() :]
        yield from _said(agent, piece)


def _said(agent: str, text: str) -> Iterator[Directive]:
    return (Directive(agent, word) for word in dict.fromkeys(_TOKENS.split(text)) if word in OPT_OUTS)
