"""White space that no extractor can change: it stands as marks while a page is extracted, and comes back afterwards.

Extractors trim lines, join runs of spaces and drop empty lines, which is right for prose and spoils code. A mark is a
noncharacter (Unicode 16.0, section 23.7: U+FDD0 to U+FDEF are for internal use), so no page may hold it, libxml2 and
lexbor pass it through, and the stage `normalise` would remove what might be left. Single spaces between words stay
spaces, and a line end has one on either side, since extractors weigh a text by its words.
"""

from __future__ import annotations

import re

BEGIN, END = "\ufdd0", "\ufdd1"
"""Around what stands on lines of its own."""
_LINE, _SPACE, _TAB, _WIDE = "\ufdd2", "\ufdd3", "\ufdd4", "\ufdd5"

_LINE_END = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_ODD_SPACE = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f]")
_HIDE = re.compile(r"\A +| +\Z|  +|[\t\u3000]+")
_SHOWN = str.maketrans({_LINE: "\n", _SPACE: " ", _TAB: "\t", _WIDE: "\u3000"})
_HIDDEN = str.maketrans({" ": _SPACE, "\t": _TAB, "\u3000": _WIDE})
_ALL = (BEGIN, END, _LINE, _SPACE, _TAB, _WIDE)
_ANY = re.compile(f"[{BEGIN}-{_WIDE}]")
_BROKEN = re.compile(f" ?{_LINE} ?")
_EMPTY = re.compile(f"(?<={_LINE})  (?={_LINE})")
_EDGE = re.compile(f"\n?[ \t]{{0,8}}(?:{BEGIN}|{END})[ \t]{{0,8}}\n?")


def lines_of(text: str) -> list[str]:
    """The lines of a text with LF alone as line end and no spaces but U+0020, tab and U+3000."""
    return _ODD_SPACE.sub(" ", _LINE_END.sub("\n", text)).split("\n")


def hide(text: str) -> str:
    r"""The text with its white space as marks. Other characters stay as they are.

    >>> hide("a b\n  c") == "a b \ufdd2 \ufdd3\ufdd3c"
    True
    """
    lines = [_HIDE.sub(lambda run: run[0].translate(_HIDDEN), line) for line in lines_of(text)]
    return _EMPTY.sub("", f" {_LINE} ".join(lines))


def hide_block(text: str) -> str:
    """The same for a text that stands on lines of its own; empty lines at its ends are left out."""
    lines = lines_of(text)
    while lines and not lines[-1].strip():
        lines.pop()
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    return f"{BEGIN}{hide(chr(10).join(lines[first:]))}{END}" if lines else ""


def show(text: str) -> str:
    """The white space again, and blocks on lines of their own. The inverse of `hide`, whatever stands around."""
    if not any(mark in text for mark in _ALL):  # six searches for a character take a tenth of one for a set
        return text
    text = _EDGE.sub("\n", text)
    return _BROKEN.sub(_LINE, text).translate(_SHOWN).strip("\n")


def without_marks(text: str) -> str:
    """The text without the noncharacters that serve as marks here."""
    return _ANY.sub("", text)
