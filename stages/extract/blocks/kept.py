"""The page once more with nothing but its kept blocks: what a parser makes the text from.

Each block is a paragraph, heading, line of a list, cell of a row or piece of code; the tags in a line of text stay as
they are, so that formulas, links and emphasis look as they did.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.stages.extract.blocks.cutting import KIND, PARENT, Blocks
from lauter.stages.extract.blocks.text_run import ELEMENT, IN_PRE
from lauter.stages.extract.markup import KINDS

_LI, _TD, _TH = (KINDS.index(name) + 1 for name in ("li", "td", "th"))
_HEADINGS = {KINDS.index(f"h{level}") + 1: f"h{level}".encode() for level in range(1, 7)}


def kept_html(html: bytes, blocks: Blocks, keep: NDArray[np.bool_]) -> bytes:
    """HTML of the blocks where `keep` (blocks,) is true, in their order."""
    parts: list[bytes] = []
    block = -1
    closing = b""
    place = (-1, -1)
    for start, stop, owner in blocks.pieces[keep[blocks.pieces[:, 2]]].tolist():
        if owner != block:
            block = owner
            element = int(blocks.rows[block, ELEMENT])
            kind, row = int(blocks.elements[element, KIND]), int(blocks.elements[element, PARENT])
            if blocks.rows[block, IN_PRE]:
                parts += (b"\n",) if closing == b"</pre>" else (closing, b"<pre>")
                closing = b"</pre>"
            elif kind in (_TD, _TH):
                parts.append(_between_cells(closing, place, (row, element)))
                closing, place = b"</td></tr></table>", (row, element)
            elif kind == _LI:
                parts += (closing, b"<div>- ")
                closing = b"</div>"
            else:
                name = _HEADINGS.get(kind, b"p")
                parts += (closing, b"<%b>" % name)
                closing = b"</%b>" % name
        parts.append(html[start:stop])
    parts.append(closing)
    return b"".join(parts)


def _between_cells(closing: bytes, last: tuple[int, int], cell: tuple[int, int]) -> bytes:
    if not closing.endswith(b"</table>"):
        return closing + b"<table><tr><td>"
    if last == cell:
        return b"<br>"
    return b"</td><td>" if last[0] == cell[0] else b"</td></tr><tr><td>"
