"""What an extractor would spoil is put into a form that it keeps: formulas, code, tables, lists.

It stands around every backend, and consent notices go (`banners`). Before, the source of the page is rewritten where it
holds such things; after, the marks of `marks` become white space again. A page without them costs a few searches of its
source.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from lauter.stages.extract import code_blocks, marks, math
from lauter.stages.extract.banners import without_notices
from lauter.stages.extract.lists import with_lists
from lauter.stages.extract.tables import with_bars, with_tables
from lauter.stages.extract.white_space import joined_lines, tidied

_END_TAGS = re.compile(r"</([pcmPCM][a-zA-Z:-]*)")
_FORMULAS = ("math", "m:math", "mml:math", "mjx-container")
_TABLE = re.compile("</(?:table|TABLE)")
_TARGET = re.compile(r"<[aA](?=\s)(?![^<>]*\bhref)[^<>]*>\s*</[aA]>")
"""An empty target of links. trafilatura drops a short block that holds nothing else of links: 8 of 79 code blocks."""
_TEX = re.compile(r"tex(?![a-z ])")
_BEFORE_TEX = ("ka", "la", "h/", "x-", '="', "='", " ")
"""What stands before `tex` where it means the language: katex, latex, math/tex, x-tex, a class `tex`."""


def before(page: str) -> str:
    """The page's source with its formulas as TeX and its code under marks; the page itself where it has neither."""
    names = {name.lower() for name in _END_TAGS.findall(page)}
    tex = not names.isdisjoint(_FORMULAS) or any(
        page[max(match.start() - 2, 0) : match.start()].endswith(_BEFORE_TEX) for match in _TEX.finditer(page)
    )
    code = not names.isdisjoint(("pre", "code"))
    if tex or code:
        page = marks.without_marks(page)
    if tex:
        page = math.with_tex(page)
    return code_blocks.with_code(page) if code else page


def preserving(extract: Callable[[str], str]) -> Callable[[str], str]:
    """An extractor (source of a page to text) that keeps formulas and the white space of code, and no notices."""
    read = without_notices(extract)
    return lambda page: marks.show(read(before(page)))


def for_trafilatura(extract: Callable[[str], str]) -> Callable[[str], str]:
    """Give trafilatura what its rules need: layout tables as blocks, and no white space of the source in the text."""

    def run(page: str) -> str:
        if _TABLE.search(page):
            page = with_tables(page, flat_cells=False)
        return tidied(extract(joined_lines(_TARGET.sub("", page))))

    return run


def for_resiliparse(extract: Callable[[str], str]) -> Callable[[str], str]:
    """Give resiliparse what its rules need: rows of a table on one line, lists of text that it would drop."""

    def run(page: str) -> str:
        if _TABLE.search(page):
            page = with_tables(page, flat_cells=True)
        return tidied(with_bars(extract(with_lists(page))))

    return run
