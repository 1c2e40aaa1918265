"""White space that means nothing in HTML and that trafilatura hands on: source line ends in a `<div>`, and indentation.

In a `<p>` it joins the lines of the source, in a `<div>` it does not, so 8 % of pages came out with lines cut where the
source was, and with its tabs before them. What has a meaning stands under `marks` by then.
"""

from __future__ import annotations

import re

_PRE = re.compile(
    r"(<(?:pre|textarea|xmp)(?=[\s>])(?:(?!<(?:pre|textarea|xmp)[\s>]).)*?</(?:pre|textarea|xmp)\s*>)",
    re.IGNORECASE | re.DOTALL,
)
_RAW = ("<pre", "<PRE", "<textarea", "<xmp")
_RUN = re.compile(r"(?<=\S)[ \t\r\f\xa0]{2,}(?=\S)|(?<=\S)\t(?=\S)")
_ITEM = re.compile(r" *(?:- |\d+\. )")
_UNTIDY = ("  ", "\t", "\xa0", "\n ", " \n", "\n\n\n", "\r", "\f", "\u3000")
"""A text without any of these is tidy but for its ends, as most are: nine searches for a pass over its lines."""
_BLANK_LINES = re.compile("\n{3,}")


def joined_lines(page: str) -> str:
    """The page's source with spaces for line ends, outside `<pre>` and its like: what a browser makes of it."""
    if not any(name in page for name in _RAW):
        return _joined(page)
    pieces = _PRE.split(page)
    pieces[::2] = [_joined(piece) for piece in pieces[::2]]
    return "".join(pieces)


def _joined(source: str) -> str:
    # Three replacements: `translate` with the same table takes 50 times as long.
    return source.replace("\n", " ").replace("\r", " ").replace("\f", " ")


def tidied(text: str) -> str:
    """Lines without white space around them, one space for several, one blank line; the depth of a list stays."""
    if not any(sign in text for sign in _UNTIDY):
        return text.strip()
    text = "\n".join([_tidy_line(line) for line in text.split("\n")])
    return (_BLANK_LINES.sub("\n\n", text) if "\n\n\n" in text else text).strip("\n")


def _tidy_line(line: str) -> str:
    line = line.rstrip() if line[:1] == " " and _ITEM.match(line) else line.strip()
    return _RUN.sub(" ", line) if "  " in line or "\t" in line or "\xa0" in line else line
