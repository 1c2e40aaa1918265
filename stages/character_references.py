"""Character references of HTML (`&amp;`, `&#38;`), resolved whatever their length.

Python's `html.unescape` does as the HTML Standard says (sections 13.2.5.72 to 13.2.5.80) but takes a decimal number by
`int`, which raises above 4,300 digits: a page with one would look like a fault of the stage.
"""

from __future__ import annotations

import html
import re

_LONG = re.compile(r"&#([0-9]{4000,})")
_DIGITS = 8
"""One more than any code point has, so that what is cut here is still none."""


def resolved(text: str) -> str:
    """The text with the characters that its references stand for; U+FFFD for a number that is no code point.

    >>> resolved("a &lt; &#98; &#99999999;"), resolved(f"&#{'0' * 5000}98; &#{'9' * 5000};")
    ('a < b \ufffd', 'b \ufffd')
    """
    if "&#" in text:
        text = _LONG.sub(lambda found: f"&#{found[1].lstrip('0')[:_DIGITS] or 0}", text)
    return html.unescape(text)
