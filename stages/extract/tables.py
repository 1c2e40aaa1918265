"""Tables that hold data and tables that only place things on the page.

A table of data stays one: a line a row, its cells apart. A table for layout becomes plain blocks, or an extractor would
take columns of a page for cells. What tells them apart is structure alone: a table is layout if it says so (`role`), if
another table stands in it, or if no row has two cells with something in them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from lauter.stages.extract.elements import OPAQUE, attributes, either_case, opaque_end

_NAMES = either_case("table tbody thead tfoot tr td th caption")
_TAG = re.compile(rf"<(?:(?P<opaque>{OPAQUE})|(/?)({_NAMES})(?=[\s>/])[^<>]*>)")
_VISIBLE = re.compile(r"<[^>]*>|&nbsp;|&#160;|\s+")
_BLOCK = either_case("p div ul ol li h1 h2 h3 h4 h5 h6 center section hr dl dt dd")
_BREAKS = re.compile(rf"</?(?:{_BLOCK}|{either_case('br')})(?=[\s>/])[^<>]*>")


class Tag(NamedTuple):
    """A tag of a table in the source of a page."""

    start: int
    end: int
    name: str
    closing: bool


class _Table:
    """A table that has not ended yet, or has."""

    def __init__(self, tag: Tag, *, presentation: bool) -> None:
        self.tags = [tag]
        self.layout = presentation
        self.filled = 0
        self.widest = 0
        self.cell: int | None = None
        self.header = False


def with_tables(page: str, *, flat_cells: bool) -> str:
    """The page's source with layout tables as `<div>`; with `flat_cells` a data cell is one line, without blocks."""
    changes: list[tuple[int, int, str]] = []
    for table in _tables(page):
        if table.layout or (table.widest < 2 and not table.header):
            changes += [(tag.start, tag.end, f"<{'/' * tag.closing}div>") for tag in table.tags]
        elif flat_cells:
            start, end = table.tags[0].end, table.tags[-1].start
            changes += [(match.start(), match.end(), " ") for match in _BREAKS.finditer(page, start, end)]
    if not changes:
        return page
    pieces: list[str] = []
    done = 0
    for start, end, text in sorted(changes):
        pieces += (page[done:start], text)
        done = end
    return "".join((*pieces, page[done:]))


def _tables(page: str) -> list[_Table]:
    # Every table that ends.
    closed: list[_Table] = []
    stack: list[_Table] = []
    at = 0
    while match := _TAG.search(page, at):
        at = match.end()
        if match["opaque"]:
            at = opaque_end(page, match.start())
            continue
        tag = Tag(match.start(), match.end(), match[3].lower(), bool(match[2]))
        if tag.name == "table" and not tag.closing:
            if stack:
                stack[-1].layout = True
                stack[-1].cell = None
            role = attributes(match[0]).get("role", "").lower()
            stack.append(_Table(tag, presentation=role in ("presentation", "none")))
            continue
        if not stack:
            continue
        table = stack[-1]
        table.tags.append(tag)
        if table.cell is not None and tag.name in ("td", "th", "tr", "table"):
            table.filled += bool(_VISIBLE.sub("", page[table.cell : tag.start]))
            table.cell = None
        if tag.name in ("tr", "table"):
            table.widest = max(table.widest, table.filled)
            table.filled = 0
        elif tag.name in ("td", "th") and not tag.closing:
            table.cell = tag.end
            table.header = table.header or tag.name == "th"
        if tag.name == "table":
            closed.append(stack.pop())
    return closed


def with_bars(text: str) -> str:
    """Rows of resiliparse, whose cells are two tabs apart, as trafilatura writes them: `| a | b |`."""
    if "\t\t" not in text:
        return text
    return "\n".join(_bars(line) if "\t\t" in line else line for line in text.split("\n"))


def _bars(line: str) -> str:
    cells = [cell.strip() for cell in line.split("\t\t")]
    return f"| {' | '.join(cells)} |" if any(cells) else ""
