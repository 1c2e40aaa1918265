"""Cookie and consent notices: out, by the elements that consent tools write and by lines that say what they are.

Only where a notice has come through is the page looked at again (of 161 pages whose source speaks of cookies 6 after
resiliparse, none after trafilatura), so other pages cost a search of their text. Then the elements that carry the names
of consent tools go, the page is extracted anew, and lines that are still notices go with the buttons beside them.

A line is a notice if it is short, speaks of cookies, of its own site and asks for something, in the words of one of 44
languages (`banners.json`). None of the 2,299 texts that are known to be right holds such a line. A page on which such
lines are more than a quarter of the text is about them, a privacy policy perhaps, and stays whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from lauter.stages.extract import marks
from lauter.stages.extract.elements import Ends, either_case

_LONGEST_LINE = 1500
"""Characters; a longer paragraph is running text, whatever it speaks of."""
_SPOKEN_WITHIN = 200
"""Characters of a line within which a notice says whose cookies they are; an article comes to it later."""
_SHARE = 4
"""Notices are less than 1 in 4 of a text's characters, or the text is about them."""
_BESIDE = 3
"""Buttons stand at most this many lines after a notice."""
_MOST_VISIBLE = 8_000
"""An element with more characters of text is no notice, but a page that has one open (and says so in its class)."""

_LONGEST = 1 << 18
"""The same in characters of source, scripts and styles included."""

_NAMES = (
    r"(?:cookies?|consent|gdpr|ccpa|privacy)[-_]?(?:banner|bar|notice|consent|law|message|popup|pop-up|modal|overlay"
    r"|disclaimer|info|alert|wrapper|container|hint|note|box|layer|dialog|manager|prompt|notification|warning|panel)"
    r"|onetrust|cybotcookiebot|cookiebot|didomi|usercentrics|qc-cmp|sp_message|truste|iubenda-cs|cmplz|moove_gdpr"
    r"|osano-cm|termly|klaro|tarteaucitron|cky-|borlabs|fc-consent|evidon|cc-window|cookieconsent|eu-cookie|cmpbox"
)
_ELEMENT = re.compile(
    rf"<{either_case('div section aside dialog form')}(?=\s)[^<>]*?(?:\b(?:id|class)\s*=\s*[\"'][^\"'>]*?(?i:{_NAMES})"
    r"|role\s*=\s*[\"']?(?:alert)?dialog[^<>]*?(?i:cookie|consent))[^<>]*>"
)
_TAG = re.compile(r"<(script|style|noscript)(?=[\s>])(?:(?!<\1[\s>]).)*?</\1\s*>|<[^<>]*>", re.IGNORECASE | re.DOTALL)
_CONTENT = re.compile(rf"<{either_case('main article h1 body')}(?=[\s>])")


class _Words(NamedTuple):
    cookie: tuple[str, ...]
    site: tuple[str, ...]
    ask: tuple[str, ...]


class _Table(NamedTuple):
    languages: tuple[_Words, ...]
    labels: frozenset[str]
    ascii: tuple[str, ...]
    """Words for cookies that a text of ASCII may hold."""
    others: tuple[str, ...]


@cache
def _table() -> _Table:
    table = json.loads(Path(__file__).with_name("banners.json").read_text(encoding="utf-8"))["languages"]
    words = tuple(_Words(tuple(entry["cookie"]), tuple(entry["site"]), tuple(entry["ask"])) for entry in table.values())
    labels = frozenset(label for entry in table.values() for label in entry["labels"])
    every = {cookie for entry in words for cookie in entry.cookie}
    # Not those that hold another one: `cookies` says no more than `cookie`.
    cookies = sorted(word for word in every if not any(other != word and other in word for other in every))
    plain = tuple(cookie for cookie in cookies if cookie.isascii())
    return _Table(words, labels, plain, tuple(cookie for cookie in cookies if not cookie.isascii()))


def words_for_cookies() -> tuple[str, ...]:
    """In small letters; a text without any of them, in capitals or not, holds no notice."""
    table = _table()
    return table.ascii + table.others


def is_notice(line: str) -> bool:
    """Whether a line asks its reader to accept the cookies of the site it stands on.

    >>> is_notice("Wir verwenden Cookies, um Ihnen ein optimales Erlebnis zu bieten.")
    True
    >>> is_notice("The regulator says that publishers use cookies without consent.")
    False
    """
    if len(line) > _LONGEST_LINE or marks.BEGIN in line:
        return False
    lowered = line.lower()
    if not _spoken(lowered):
        return False
    start = lowered[:_SPOKEN_WITHIN]
    return any(
        _holds(lowered, language.cookie) and _holds(start, language.site) and _holds(lowered, language.ask)
        for language in _table().languages
    )


def _spoken(lowered: str) -> list[str]:
    # The words for cookies that a text in lower case holds.
    words = _table().ascii if lowered.isascii() else words_for_cookies()
    return [word for word in words if word in lowered]


def _holds(text: str, words: tuple[str, ...]) -> bool:
    return any(word in text for word in words)


def has_notice(text: str) -> bool:
    """Whether a line of the text is a notice."""
    spoken = _spoken(text.lower())
    return bool(spoken) and any(
        is_notice(line) for line in text.split("\n") if any(word in line.lower() for word in spoken)
    )


def without_elements(page: str) -> str:
    """The page's source without the elements of consent tools; the page itself where it has none."""
    pieces: list[str] = []
    ends = Ends(page, _LONGEST)
    done = at = 0
    while match := _ELEMENT.search(page, at):
        end = ends.of(match.start())
        at = match.end()
        if end is None:
            continue
        source = page[match.start() : end]
        visible = len("".join(_TAG.sub("", source).split()))
        if visible <= _MOST_VISIBLE and not _CONTENT.search(source):
            pieces.append(page[done : match.start()])
            done = at = end
    return "".join((*pieces, page[done:])) if pieces else page


def without_lines(text: str) -> str:
    """The text without lines that are notices and the buttons beside them, unless it is about such things."""
    lines = text.split("\n")
    notices = [number for number, line in enumerate(lines) if is_notice(line)]
    if not notices or _SHARE * sum(len(lines[number]) for number in notices) > len(text):
        return text
    labels = _table().labels
    dropped = set(notices)
    for notice in notices:
        # Blank lines between do not count.
        following = [number for number in range(notice + 1, len(lines)) if lines[number].strip()][:_BESIDE]
        for number in following:
            if lines[number].strip(" \t.!•-|").lower() not in labels:
                break
            dropped.add(number)
    return "\n".join(line for number, line in enumerate(lines) if number not in dropped).strip("\n")


def without_notices(extract: Callable[[str], str]) -> Callable[[str], str]:
    """An extractor (source of a page to text) whose texts hold no consent notices."""

    def run(page: str) -> str:
        text = extract(page)
        if not has_notice(text):
            return text
        rest = without_elements(page)
        return without_lines(text if rest is page else extract(rest))

    return run
