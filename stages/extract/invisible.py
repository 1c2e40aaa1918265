"""Keeps the characters that trafilatura takes for rubbish: joiners, direction marks, tags, private use, new scripts.

trafilatura deletes what `str.isprintable` denies. That spoils Persian (U+200C inside words), the Indic scripts and
emoji (U+200D), Khmer and Thai (U+200B between words), and makes a text depend on the Unicode version of Python. Here
one function of it is replaced, in the process that extracts and nowhere else. It is the function that does the damage,
so characters, entities and the escapes of embedded JSON all come through, and there is nothing to turn back. Visible
stand-ins put into the page would have to find each of these forms first, would make empty paragraphs look full, and
would take part in word and length rules as letters. Which invisible characters stay is for the stage `normalise`.
"""

from __future__ import annotations

import re
import sys

_CONTROL = re.compile("[\0-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
"""Controls, and what libxml2 refuses in a text (XML 1.0, production 2)."""
_SPACE = re.compile("[\v\f\x1c-\x1f]")
"""White space to Python, but refused by libxml2: one `&#12;` cost the whole page."""
_BLANK = re.compile(r"[\s\xad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]*")

_PROBE = (
    "<html><body><article><p>می\u200cشود و می&zwnj;شود و می&#8204;شود</p>"
    "<p>क्&#x200D;ष \ue000 a&#12;b</p></article></body></html>"
)
_EXPECTED = "می\u200cشود و می\u200cشود و می\u200cشود\nक्\u200dष \ue000 a b"


def without_controls(text: str) -> str:
    """`text` without the characters that no tree may hold; a text with nothing visible is reduced to its white space.

    The latter because editors fill empty paragraphs with U+200B or U+200D, and newsletters hide runs of U+200C.
    """
    if text.isprintable():
        return text
    kept = _CONTROL.sub("", _SPACE.sub(" ", text))
    return "".join(filter(str.isspace, kept)) if _BLANK.fullmatch(kept) else kept


def keep_invisible() -> None:
    """Put `without_controls` into trafilatura, in this process. Raises `RuntimeError` where that has no effect."""
    from trafilatura import extract

    # By their full names: the package has a function `baseline` that hides the module.
    for module in ("trafilatura.utils", "trafilatura.baseline"):
        setattr(sys.modules[module], "remove_control_characters", without_controls)  # noqa: B010
    sys.modules["trafilatura.utils"].line_processing.cache_clear()
    if extract(_PROBE, fast=True) != _EXPECTED:
        raise RuntimeError("this version of trafilatura deletes joiners: the override in stages/extract is void")
