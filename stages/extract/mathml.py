r"""Presentation MathML to LaTeX: what an author's formula looks like, where the page does not hold its TeX.

The elements are those of MathML Core and MathML 3, chapter 3. One pass over the source with a stack; an element is
written when it ends, so depth costs no recursion, and a tag that is never closed ends with the one around it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from lauter.stages.character_references import resolved
from lauter.stages.extract.elements import TAG, attributes
from lauter.stages.extract.mathml_symbols import (
    ALPHABETS,
    BIG,
    COMMANDS,
    ESCAPED,
    FUNCTIONS,
    LETTERLIKE,
    OVER,
    PLAIN,
    UNDER,
    UNSEEN,
    VARIANTS,
)

_PIECE = re.compile(
    rf"<!--(?:(?!<!--).)*?-->|</\s*([a-zA-Z][\w:.-]*)[^<>]*>|({TAG})|<!\[CDATA\[((?:(?!<!\[).)*?)\]\]>|([^<]+)|<",
    re.DOTALL,
)
_NAME = re.compile(r"<(?:[\w.-]+:)?([a-zA-Z][\w.-]*)")
_TOKENS = {"mi", "mn", "mo", "mtext", "ms"}
_LEFT_OUT = {"annotation", "annotation-xml", "maligngroup", "malignmark", "none", "mprescripts"}
_COMMAND_END = re.compile(r"\\[A-Za-z]+\Z")
_ONE = re.compile(r"\\[A-Za-z]+|\\.|[^\\{}^_\s]", re.DOTALL)
_DEEPEST = 256
"""Elements below are taken for their content; `extract` admits no page that is deeper."""
_WIDE_SPACE_EM = 0.9
"""A space of one em is `\\quad` (TeXbook, chapter 18); browsers round it."""
_LENGTH = re.compile(r"\s*([\d.]+)\s*em\s*")


class _Part(NamedTuple):
    name: str
    latex: str
    raw: str
    """The characters of a token element as they are; empty for others."""


class _Open:
    """An element that has not ended yet."""

    def __init__(self, name: str, tag: str) -> None:
        self.name = name
        self.tag = tag
        self.parts: list[_Part] = []
        self.text: list[str] = []


def to_latex(source: str) -> str:
    r"""The LaTeX of a `<math>` element given as source, without dollar signs; empty where it shows nothing.

    >>> to_latex("<math><mfrac><mi>a</mi><msqrt><mn>2</mn></msqrt></mfrac></math>")
    '\\frac{a}{\\sqrt{2}}'
    """
    stack = [_Open("", "")]
    for piece in _PIECE.finditer(source):
        closed, tag, characters, text = piece.groups()
        if closed:
            name = closed.rpartition(":")[2].lower()
            if any(element.name == name for element in stack):
                while stack[-1].name != name:
                    _close(stack)
                _close(stack)
        elif tag and len(stack) < _DEEPEST:
            match = _NAME.match(tag)
            stack.append(_Open(match[1].lower() if match else "", tag))
            if tag.endswith("/>"):
                _close(stack)
        elif characters or text:
            stack[-1].text.append(characters or resolved(text))
    while len(stack) > 1:
        _close(stack)
    return _join([part.latex for part in stack[0].parts])


def _close(stack: list[_Open]) -> None:
    element = stack.pop()
    if element.name not in _LEFT_OUT or element.name in ("none", "mprescripts"):
        stack[-1].parts.append(_written(element))


def _written(element: _Open) -> _Part:
    name, parts = element.name, element.parts
    if name in _TOKENS:
        # A token may hold markup of HTML (`<b>`, `<br>`): its text is what counts.
        raw = " ".join("".join([*element.text, *(part.raw for part in parts)]).split()).translate(UNSEEN)
        return _Part(name, _token(name, raw, element.tag), raw)
    if name in ("mrow", "mstyle", "mpadded", "merror", "mtd", "semantics", "maction") and parts:
        if name in ("semantics", "maction"):
            parts = parts[:1]
        return parts[0] if len(parts) == 1 and name != "mtd" else _Part(name, _join([part.latex for part in parts]), "")
    if name in ("mtable", "mtr", "mlabeledtr"):
        return _Part(name, _table(name, parts), "")
    latex = [part.latex for part in parts]
    need = {"mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "msubsup": 3, "munderover": 3}
    if len(parts) < need.get(name, 0):
        return _Part(name, _join(latex), "")
    return _Part(name, _composed(element, parts, latex), "".join(element.text) if not parts else "")


def _composed(element: _Open, parts: Sequence[_Part], latex: list[str]) -> str:
    name = element.name
    if name == "mfrac":
        if attributes(element.tag).get("linethickness", "").strip(" \t\n") in ("0", "0px", "0pt", "0em"):
            return f"{{{latex[0]} \\atop {latex[1]}}}"
        return rf"\frac{{{latex[0]}}}{{{latex[1]}}}"
    if name == "mroot":
        return rf"\sqrt[{latex[1]}]{{{latex[0]}}}"
    if name == "msqrt":
        return rf"\sqrt{{{_join(latex)}}}"
    if name in ("msub", "msup", "msubsup"):
        return _scripts(latex[0], latex[1] if name != "msup" else "", latex[-1] if name != "msub" else "")
    if name in ("munder", "mover", "munderover"):
        return _limits(parts, under=name != "mover", over=name != "munder")
    if name == "mmultiscripts":
        return _multiscripts(parts)
    if name == "mfenced":
        return _fenced(element.tag, latex)
    if name == "mspace":
        given = attributes(element.tag)
        if given.get("linebreak") == "newline":
            return r"\\"
        width = _LENGTH.fullmatch(given.get("width", ""))
        return r"\quad" if width and _number(width[1]) >= _WIDE_SPACE_EM else r"\ " if width else ""
    if name == "mphantom":
        return rf"\phantom{{{_join(latex)}}}"
    if name == "menclose":
        return _enclosed(attributes(element.tag).get("notation", "longdiv").split(), _join(latex))
    return _join(latex)


def _number(digits: str) -> float:
    try:
        return float(digits)
    except ValueError:
        return 0.0


def _join(pieces: Sequence[str]) -> str:
    joined: list[str] = []
    for piece in pieces:
        if piece:
            apart = joined and piece[0].isalpha() and _COMMAND_END.search(joined[-1])
            joined.append(" " + piece if apart else piece)
    return "".join(joined)


def _token(name: str, raw: str, tag: str) -> str:
    if name == "mtext":
        return rf"\text{{{_escaped(raw)}}}" if raw else ""
    if name == "ms":
        given = attributes(tag)
        return rf"\text{{{_escaped(given.get('lquote', chr(34)) + raw + given.get('rquote', chr(34)))}}}"
    if name == "mo" and raw in PLAIN:
        return PLAIN[raw]
    if name != "mn" and raw in FUNCTIONS:
        return "\\" + raw
    written = _join([_character(character) for character in raw])
    variant = attributes(tag).get("mathvariant", "")
    if variant in VARIANTS:
        return rf"\{VARIANTS[variant]}{{{written}}}"
    several = len(raw) > 1 and any(character.isalpha() for character in raw) and "\\" not in written
    if several and name == "mo":
        return rf"\operatorname{{{written}}}"
    upright = (several and name == "mi") or (variant == "normal" and raw.isalpha())
    return rf"\mathrm{{{written}}}" if upright else written


def _character(character: str) -> str:
    if character in COMMANDS or character in ESCAPED:
        return COMMANDS.get(character) or ESCAPED[character]
    if character in LETTERLIKE:
        return rf"\mathbb{{{LETTERLIKE[character]}}}"
    code = ord(character)
    if 0x1D400 <= code < 0x1D800:
        plain = unicodedata.normalize("NFKC", character)
        command = next((name for first, size, name in ALPHABETS if first <= code < first + size), "")
        written = COMMANDS.get(plain, plain)
        return rf"\{command}{{{written}}}" if command else written
    return PLAIN.get(character, character) if character not in "^~" else character


def _escaped(text: str) -> str:
    # `^`, `~` and the backslash have no escape of one character in text.
    spelt = {"^": r"\^{}", "~": r"\~{}", "\\": r"\textbackslash{}"}
    return "".join(spelt.get(character) or ESCAPED.get(character, character) for character in text)


def _script(latex: str) -> str:
    return f"{{{latex}}}"


def _scripts(base: str, below: str, above: str) -> str:
    held = base if _ONE.fullmatch(base) else f"{{{base}}}"
    return held + (f"_{_script(below)}" if below else "") + (f"^{_script(above)}" if above else "")


def _limits(parts: Sequence[_Part], *, under: bool, over: bool) -> str:
    base = parts[0]
    below, above = parts[1] if under else None, parts[-1] if over else None
    if base.raw in BIG:
        return _scripts(base.latex, below.latex if below else "", above.latex if above else "")
    written = base.latex
    if above:
        accent = OVER.get(above.raw) if above.name in ("mo", "mi", "mtext") else None
        written = rf"\{accent}{{{written}}}" if accent else rf"\overset{{{above.latex}}}{{{written}}}"
    if below:
        accent = UNDER.get(below.raw) if below.name in ("mo", "mi", "mtext") else None
        if accent:
            return rf"\{accent}{{{written}}}"
        braced = written.startswith((r"\underbrace", r"\overbrace"))
        return rf"{written}_{{{below.latex}}}" if braced else rf"\underset{{{below.latex}}}{{{written}}}"
    return written


def _multiscripts(parts: Sequence[_Part]) -> str:
    if not parts:
        return ""
    names = [part.name for part in parts]
    middle = names.index("mprescripts") if "mprescripts" in names else len(parts)
    after, before = parts[1:middle], parts[middle + 1 :]

    def pairs(scripts: Sequence[_Part]) -> tuple[str, str]:
        return _join([part.latex for part in scripts[::2]]), _join([part.latex for part in scripts[1::2]])

    front = _scripts("{}", *pairs(before)) if before else ""
    return front.replace("{{}}", "{}") + _scripts(parts[0].latex, *pairs(after))


def _fenced(tag: str, latex: Sequence[str]) -> str:
    given = attributes(tag)
    marks = given.get("separators", ",")
    marks = "".join(marks.split())
    written: list[str] = []
    for number, item in enumerate(latex):
        if number and marks:
            written.append(marks[min(number, len(marks)) - 1])
        written.append(item)
    fences = [_fence(given.get(name, usual)) for name, usual in (("open", "("), ("close", ")"))]
    return rf"\left{fences[0]}{_apart(_join(written))}\right{fences[1]}"


def _apart(latex: str) -> str:
    return " " + latex if latex[:1].isalpha() else latex


def _fence(raw: str) -> str:
    raw = raw.strip()
    return _join([_character(character) for character in raw]) if raw else "."


def _table(name: str, parts: Sequence[_Part]) -> str:
    latex = [part.latex for part in parts]
    if name == "mtr":
        return " & ".join(latex)
    if name == "mlabeledtr":  # the first cell is the equation's number
        return " & ".join(latex[1:]) + (rf" \qquad {latex[0]}" if latex[:1] else "")
    return r"\begin{matrix}" + r" \\ ".join(latex) + r"\end{matrix}"


def _enclosed(notations: Sequence[str], latex: str) -> str:
    commands = {
        "box": "boxed",
        "roundedbox": "boxed",
        "radical": "sqrt",
        "top": "overline",
        "bottom": "underline",
        "updiagonalstrike": "cancel",
        "downdiagonalstrike": "bcancel",
    }
    for notation in notations:
        if notation in commands:
            latex = rf"\{commands[notation]}{{{latex}}}"
    return latex
