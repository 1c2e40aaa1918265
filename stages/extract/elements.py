"""Elements in the source of a page: where one ends, and what its attributes say, without a tree.

A rewriter of source leaves every other byte as it is, so that any extractor may read the result. Of the HTML Standard
it knows tags, quoted attributes and which parts of a page hold no markup.
"""

from __future__ import annotations

import re
from functools import lru_cache

from lauter.stages.character_references import resolved

TAG = r"""<[a-zA-Z][^\s/<>]*(?:[^<>"']|"[^"]*"|'[^']*')*>"""


def either_case(names: str) -> str:
    """A pattern for one of several names in capitals or not, given as words.

    Not by `IGNORECASE`: with it a search takes five times as long, since it cannot leap from one `<` to the next.
    """
    patterns = [
        "".join(f"[{letter.lower()}{letter.upper()}]" if letter.isalpha() else re.escape(letter) for letter in name)
        for name in names.split()
    ]
    return f"(?:{'|'.join(patterns)})"


OPAQUE = rf"!--|{either_case('script style textarea title xmp iframe noembed noframes')}(?=[\s/>])"
"""After `<`: what holds no markup (section 13.1.2: comments, raw text and escapable raw text elements)."""

_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?""")
_NAME = re.compile(r"<([a-zA-Z][^\s/<>]*)")


@lru_cache(maxsize=64)
def _tags_named(name: str) -> re.Pattern[str]:
    return re.compile(rf"<(/?){either_case(name)}(?=[\s/>])[^<>]*>")


def attributes(tag: str) -> dict[str, str]:
    """Names in lower case to values (entities resolved) of a start tag; the first of two of one name counts."""
    found: dict[str, str] = {}
    name = _NAME.match(tag)
    for match in _ATTRIBUTE.finditer(tag, name.end() if name else 1):
        key = match[1].lower()
        if key not in found:
            value = next((group for group in match.groups()[1:] if group is not None), "")
            found[key] = resolved(value)
    return found


class Ends:
    """Where elements of one page end. What all questions cost together grows with the page and no faster."""

    def __init__(self, page: str, longest: int) -> None:
        """An element of more than `longest` characters of source counts as one that never ends."""
        self._page = page
        self._longest = longest
        self._asked: dict[str, int] = {}

    def of(self, start: int) -> int | None:
        """The position after the end tag of the element that begins at `start`, None where it does not end.

        Only tags of its own name are counted, so nesting by other names that overlap does no harm. Where one does not
        end, the others of its name within `longest` are taken not to end either.
        """
        match = _NAME.match(self._page, start)
        if match is None or start < self._asked.get(name := match[1].lower(), 0):
            return None
        depth = 0
        for tag in _tags_named(name).finditer(self._page, start, start + self._longest):
            depth += -1 if tag[1] else 1
            if not depth:
                return tag.end()
        self._asked[name] = start + self._longest
        return None


def opaque_end(page: str, start: int) -> int:
    """Where what matched `OPAQUE` at `start` ends; the end of the page where nothing closes it."""
    if page.startswith("<!--", start):
        end = page.find("-->", start + 2)
        return end + 3 if end >= 0 else len(page)
    name = _NAME.match(page, start)
    tags = _tags_named(name[1].lower()).finditer(page, start) if name else ()
    return next((tag.end() for tag in tags if tag[1]), len(page))
