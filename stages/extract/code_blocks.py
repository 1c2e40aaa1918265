"""Code as it stands in the page: `<pre>` and its kin keep every space and line end, without gutters and buttons.

A block becomes one element whose text is the code with its white space as marks (`marks`), so that it survives any
extractor. What is no code by its markup stays as it is: a `<pre>` with headings, tables or paragraphs, or one that is
mostly links (a server's list of files).
"""

from __future__ import annotations

import html
import re

from lauter.stages.character_references import resolved
from lauter.stages.extract.elements import OPAQUE, TAG, Ends, attributes, either_case, opaque_end
from lauter.stages.extract.marks import hide_block

_START = re.compile(
    rf"<(?:(?P<opaque>{OPAQUE})|(?P<pre>{either_case('pre')}(?=[\s>]))|(?P<code>{either_case('code')}(?=[\s>]))"
    r"""|(?P<drawn>div(?=\s)[^<>]*?\bsyntaxhighlighter\b))"""
)
_LONGEST = 1 << 20
"""A block with more source (characters) is left as it stands."""
_TAG = re.compile(TAG)
_GUTTER = re.compile(
    r"""<(span|a|td|th|i|b|em|div)(?=\s)[^<>]*?\b(?:line-?nos?|line-?num(?:ber)?s?|ln|lnum|lnt|gutter|hljs-ln-n)\b[^<>]*>"""
    r"(?:\s|<[^<>]*>|\d|&nbsp;|&#160;){0,40}?</\1>\s?",
    re.IGNORECASE,
)
_UNSEEN = re.compile(
    r"<!--(?:(?!<!--).)*?-->|<(button|style|script|svg|template)(?=[\s>])(?:(?!<\1[\s>]).)*?</\1\s*>",
    re.IGNORECASE | re.DOTALL,
)
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_LINE = re.compile(r"</(?:div|li|tr|p)\s*>", re.IGNORECASE)
_ANY_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_LAYOUT = re.compile(r"<(?:h[1-6]|table|p|ul|dl|form|article|section|iframe|video|blockquote)(?=[\s>])", re.IGNORECASE)
_LINK = re.compile(r"<a(?=\s)[^<>]*?\bhref\b[^<>]*>((?:(?!<a\s).)*?)</a\s*>", re.IGNORECASE | re.DOTALL)
_SPACE = re.compile(r"[ \t\r\n\f]+")
_NUMBERS = re.compile(r"\s*\d{1,9}(?:\s+\d{1,9})*\s*")
_CODE_CELL = re.compile(r"""<td(?=\s)[^<>]*?\bcode\b[^<>]*>""", re.IGNORECASE)


def with_code(page: str) -> str:
    """The page's source with the white space of its code as marks; the page itself where it has none."""
    pieces: list[str] = []
    ends = Ends(page, _LONGEST)
    done = at = 0
    while match := _START.search(page, at):
        start = match.start()
        if match["opaque"]:
            at = opaque_end(page, start)
            continue
        end = ends.of(start)
        at = match.end() if end is None else end
        if end is None:
            continue
        source = page[start:end]
        if match["drawn"]:
            text = _highlighted(source)
        elif match["code"]:
            text = _lines_by_breaks(source)
        else:
            text = _block(source)
        if text is not None:
            pieces += (page[done:start], text)
            done = end
        elif match["drawn"]:
            at = match.end()
    return "".join((*pieces, page[done:])) if pieces else page


def _parts(source: str) -> tuple[str, str, str]:
    # The start tag, what is inside, and the name.
    tag = _TAG.match(source)
    if tag is None:
        return "", "", ""
    return tag[0], source[tag.end() : source.rindex("</")], tag[0][1:].split(maxsplit=1)[0].rstrip(">").lower()


def code_of(inner: str) -> str:
    r"""The code that the markup inside a `<pre>` shows, its white space as in the source.

    >>> code_of("<span class='lineno'>1 </span><b>if</b> x:<br>    y &lt; 2")
    'if x:\n    y < 2'
    """
    inner = _UNSEEN.sub("", inner.replace("\r\n", "\n").replace("\r", "\n"))
    inner = _GUTTER.sub("", inner)
    inner = _BREAK.sub("\n", inner)
    if _LINE.search(inner):
        # An element of its own for each line: its end is a line end where the source has none.
        inner = re.sub(rf"(\n?)[ \t]*{_LINE.pattern}(?:[ \t]*\n)?", "\n", inner, flags=re.IGNORECASE)
    return resolved(_ANY_TAG.sub("", inner))


def _block(source: str) -> str | None:
    tag, inner, name = _parts(source)
    if not name or _LAYOUT.search(inner):
        return None
    code = code_of(inner)
    visible = len("".join(code.split()))
    links = sum(len("".join(_ANY_TAG.sub("", link).split())) for link in _LINK.findall(inner))
    if not visible or 2 * links > visible:
        return None
    if _NUMBERS.fullmatch(code) and _counts(code):
        return ""  # a gutter: the numbers of the lines that stand beside it
    return f"{tag}{html.escape(hide_block(code), quote=False)}</{name}>"


def _counts(code: str) -> bool:
    numbers = [int(number) for number in code.split()]
    return len(numbers) > 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _lines_by_breaks(source: str) -> str | None:
    tag, inner, name = _parts(source)
    preserved = "white-space:pre" in "".join(attributes(tag).get("style", "").split())
    if not name or not (preserved or _BREAK.search(inner)) or _LAYOUT.search(inner):
        return None
    if not preserved:
        inner = re.sub(r" ?(<br\s*/?>) ?", r"\1", _SPACE.sub(" ", inner), flags=re.IGNORECASE)
    code = hide_block(code_of(inner))
    return f"{tag}{html.escape(code, quote=False)}</{name}>" if code else None


def _highlighted(source: str) -> str | None:
    # SyntaxHighlighter draws a table: a gutter, and a cell with an element a line.
    cell = _CODE_CELL.search(source)
    end = Ends(source, len(source)).of(cell.start()) if cell else None
    if cell is None or end is None:
        return None
    lines = re.findall(
        r"<div(?=\s)[^<>]*?\bline\b[^<>]*>((?:(?!<div\s).)*?)</div>", source[cell.end() : end], re.DOTALL
    )
    code = hide_block("\n".join(code_of(line) for line in lines))
    return f"<pre>{html.escape(code, quote=False)}</pre>" if code else None
