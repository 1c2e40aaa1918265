r"""Formulas as TeX between dollar signs, each once: `$…$` in a line, `$$…$$` on lines of its own.

A formula stands in a page in up to four forms at once (TeX source, MathML, drawn spans or an image, a preview). The
first of these that the page holds becomes the text, and the others go:

1. TeX: `<annotation encoding="application/x-tex">` (KaTeX, Wikipedia, LaTeXML), `<script type="math/tex">` (MathJax 2),
   the `alt` of Wikipedia's and WordPress's images, the `alttext` of LaTeXML.
2. MathML, turned into LaTeX (`mathml`).

Formulas that a page holds as plain text (`$x$`, `\(x\)`) are text already and stay as they are.
"""

from __future__ import annotations

import html
import re
from urllib.parse import unquote_plus, urlsplit

from lauter.stages.character_references import resolved
from lauter.stages.extract.elements import OPAQUE, TAG, Ends, attributes, either_case, opaque_end
from lauter.stages.extract.marks import hide, hide_block
from lauter.stages.extract.mathml import to_latex

_LONGEST = 1 << 18
"""A formula with more source (characters) is left as it stands; drawn formulas of a line of text have 40,000."""
_MATH = rf"(?:[a-zA-Z]\w*:)?{either_case('math')}(?=[\s>])"
_DRAWN = r"""(?:span|div|mjx-container)(?=\s)[^<>]*?\b(?:katex|mwe-math-element|MathJax\w*|MJXc-display|jax=)"""
_IMAGE = r"""[iI][mM][gG](?=\s)[^<>]*?(?:\blatex\b|\btex\b|mwe-math|tex\.cgi)"""
_START = re.compile(
    rf"<(?:(?P<tex>{either_case('script')}(?=\s)[^<>]*?\bmath/(?:tex|mml|latex))|(?P<opaque>{OPAQUE})|(?P<math>{_MATH})"
    rf"|(?P<drawn>{_DRAWN})|(?P<image>{_IMAGE}))"
)
_ANNOTATION = re.compile(
    r"""<(?:\w+:)?annotation(?=\s)[^<>]*?encoding\s*=\s*["']?(?:application/x-|text/x-)?(?:tex|latex)["']?[^<>]*>([^<]*(?:<(?![/a-zA-Z])[^<]*)*)"""
    r"</(?:\w+:)?annotation\s*>",
    re.IGNORECASE | re.DOTALL,
)
_MATH_START = re.compile(f"<{_MATH}")
_MML_TAG = re.compile(TAG)
_SCRIPT_NEXT = re.compile(r"\s*<script(?=\s)[^<>]*?\bmath/(?:tex|mml|latex)", re.IGNORECASE)
_PICTURE_NEXT = re.compile(r"""\s*(<(?:span|div)(?=\s)[^<>]*?\b(?:MathJax\w*|MJXc-display)[^<>]*>)""")
_PREVIEW = re.compile(r"\bMathJax_Preview\b")
_CDATA = re.compile(r"\A\s*(?:%\s*)?<!\[CDATA\[(.*?)(?:%\s*)?\]\]>\s*\Z", re.DOTALL)
_BARE_KATEX = re.compile(r"""<span(?=\s)[^<>]*\bkatex-mathml\b[^<>]*>([^<]*)</span>""")
_DISPLAY_BEFORE = re.compile(r"""<(?:span|div)[^<>]*\bkatex-display\b[^<>]*>\s*\Z""")
_DISPLAY = re.compile(
    r"""mode\s*=\s*display|display\s*=\s*["']?(?:block|true)|katex-{1,2}display|MathJax\w*_Display|MJXc-display"""
    r"""|fallback-image-display""",
)
_DELIMITERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"))
_LOOKS_LIKE_TEX = re.compile(r"[\\^_{}=]")
_TEX_IMAGE = re.compile(r"(?:^|[\s/.])(?:latex\.php|latex\.codecogs\.com|mathtex\.cgi|mimetex\.cgi|math/render)")


def with_tex(page: str) -> str:
    """The page's source with a text in place of each formula; the page itself where it has none. Linear in time."""
    pieces: list[str] = []
    ends = Ends(page, _LONGEST)
    done = at = 0
    while match := _START.search(page, at):
        start = match.start()
        if match["opaque"]:
            at = opaque_end(page, start)
            continue
        end = opaque_end(page, start) if match["tex"] else _end(page, start, ends, image=bool(match["image"]))
        if end is None or end - start > _LONGEST:
            at = match.end()
            continue
        text = _replacement(page, start, end, match.lastgroup or "", ends)
        at = match.end() if text is None else end
        if text is not None:
            pieces += (page[done:start], text)
            done = end
    return "".join((*pieces, page[done:])) if pieces else page


def _end(page: str, start: int, ends: Ends, *, image: bool) -> int | None:
    if not image:
        return ends.of(start)
    tag = _MML_TAG.match(page, start)
    return tag.end() if tag else None


def _replacement(page: str, start: int, end: int, kind: str, ends: Ends) -> str | None:
    # The text for page[start:end], None to leave it and look inside.
    source = page[start:end]
    tag = _MML_TAG.match(source)
    if tag is None:
        return None
    if kind == "tex":
        return _script(source, tag.end())
    if kind == "image":
        return _image(tag[0])
    display = bool(_DISPLAY.search(source)) or bool(_DISPLAY_BEFORE.search(page, max(0, start - 200), start))
    if kind == "drawn":
        if _source_follows(page, end, ends):
            return ""  # this is its picture or its preview
        if _PREVIEW.search(tag[0]):
            return None
    formulas = _ANNOTATION.findall(source)
    if len(formulas) == 1:
        return _written(resolved(formulas[0]), display=display)
    if kind == "math":
        return _from_mathml(source, tag[0], display=display)
    return _drawn(source, tag[0], display=display) if not formulas else None


def _source_follows(page: str, at: int, ends: Ends) -> bool:
    # MathJax 2 writes a preview, the drawn formula and the source one after the other.
    for _ in range(3):
        if _SCRIPT_NEXT.match(page, at):
            return True
        picture = _PICTURE_NEXT.match(page, at)
        end = ends.of(picture.end() - len(picture[1])) if picture else None
        if end is None:
            return False
        at = end
    return False


def _drawn(source: str, tag: str, *, display: bool) -> str | None:
    elements = _math_elements(source)
    if len(elements) > 1:
        return None  # a container of several formulas
    if elements:
        opening = _MML_TAG.match(elements[0])
        return _from_mathml(elements[0], opening[0] if opening else "", display=display)
    given = attributes(tag)
    if mathml := given.get("data-mathml"):
        return _from_mathml(mathml, "", display=display)
    bare = _BARE_KATEX.findall(source)
    if len(bare) == 1:
        # Some editors have removed the tags from KaTeX's MathML; its TeX is what stands after the last empty line.
        return _written(re.split(r"\n\s*\n", resolved(bare[0]).strip())[-1], display=display)
    image = re.search(f"<{_IMAGE}", source)
    whole = _MML_TAG.match(source, image.start()) if image else None
    return _image(whole[0], display=display) if whole else None


def _math_elements(source: str) -> list[str]:
    ends, found, at = Ends(source, len(source)), list[str](), 0
    while (match := _MATH_START.search(source, at)) and (end := ends.of(match.start())):
        found.append(source[match.start() : end])
        at = end
    return found


def _from_mathml(source: str, tag: str, *, display: bool) -> str | None:
    alternative = attributes(tag).get("alttext", "") if tag else ""
    tex = alternative if _LOOKS_LIKE_TEX.search(alternative) else to_latex(source)
    return _written(tex, display=display) if tex.strip() else None


def _script(source: str, content: int) -> str:
    body = re.sub(r"</script[^<>]*>\Z", "", source[content:], flags=re.IGNORECASE)
    cdata = _CDATA.match(body)
    body = cdata[1] if cdata else body
    tag = source[:content]
    if "math/mml" in tag.lower():
        display = bool(_DISPLAY.search(body))
        return _from_mathml(body, "", display=display) or ""
    return _written(body, display=bool(_DISPLAY.search(tag)))


def _image(tag: str, *, display: bool = False) -> str | None:
    given = attributes(tag)
    names = set(given.get("class", "").split())
    address = given.get("src", "") or given.get("data-src", "")
    drawn = bool(_TEX_IMAGE.search(address))
    if not (drawn or names & {"tex", "latex"} or any(name.startswith("mwe-math-fallback") for name in names)):
        return None
    tex = given.get("alt", "").strip() or given.get("title", "").strip()
    if not tex and drawn:
        query = urlsplit(address).query
        tex = unquote_plus(re.sub(r"\A(?:latex|formdata|tex|math)=|&.*", "", query))
    return _written(tex, display=display or bool(_DISPLAY.search(tag))) if tex else None


def _written(tex: str, *, display: bool) -> str:
    tex = tex.strip()
    for opening, closing in _DELIMITERS:
        if tex.startswith(opening) and tex.endswith(closing) and len(tex) > len(opening) + len(closing):
            inner = tex[len(opening) : len(tex) - len(closing)]
            if opening[-1] == "$" and "$" in inner:
                continue
            display = display or opening in ("$$", r"\[")
            tex = inner.strip()
            break
    if not tex:
        return ""
    # A paragraph of its own: trafilatura drops the bare text after a heading, and with it 13 of 14 such formulas.
    written = hide_block(f"$${tex}$$") if display else f"${hide(tex)}$"
    escaped = html.escape(written, quote=False)
    return f"<p>{escaped}</p>" if display else escaped
