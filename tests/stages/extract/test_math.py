from __future__ import annotations

import html
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.extract.backends import load_resiliparse, load_trafilatura
from lauter.stages.extract.keeping import before
from lauter.stages.extract.marks import show
from tests.stages.extract.pages import warc

EXTRACT = {"trafilatura": load_trafilatura(), "resiliparse": load_resiliparse()}
PROSE = "<p>The derivation follows the usual steps, and every one of them is written out in full for the reader.</p>"
TEX = (
    st.text(st.sampled_from("abxy12 \\{}^_+=<>&\"'\n%"), min_size=1, max_size=30)
    .map(str.strip)
    .filter(lambda tex: any(character.isalnum() for character in tex))
)

MATHML = "<mrow><mi>x</mi></mrow>"


def annotated(tex: str, attributes: str = "") -> str:
    return (
        f"<math {attributes}><semantics>{MATHML}<annotation encoding='application/x-tex'>{html.escape(tex)}"
        "</annotation></semantics></math>"
    )


FORMS: dict[str, Callable[[str], str]] = {
    "math": annotated,
    "katex": lambda tex: (
        f"<span class='katex'><span class='katex-mathml'>{annotated(tex)}</span>"
        "<span class='katex-html' aria-hidden='true'><span class='base'><span>x</span></span></span></span>"
    ),
    "katex display": lambda tex: (
        "<span class='katex-display'><span class='katex'><span class='katex-mathml'>"
        f"{annotated(tex)}</span><span class='katex-html'><span>x</span></span></span></span>"
    ),
    "script": lambda tex: f"<script type='math/tex'>{tex}</script>",
    "script display": lambda tex: f"<script type='math/tex; mode=display'>{tex}</script>",
    "mathjax 2": lambda tex: (
        "<span class='MathJax_Preview'>[q]</span><span class='MathJax' data-mathml='&lt;math&gt;'>"
        f"<nobr><span>q</span></nobr></span><script type='math/tex' id='m-1'>{tex}</script>"
    ),
    "mathjax 2 display": lambda tex: (
        "<div class='MathJax_Display'><span class='MathJax'><span>q</span></span></div>"
        f"<script type='math/tex; mode=display'>{tex}</script>"
    ),
    "mathjax 3": lambda tex: (
        "<mjx-container class='MathJax' jax='CHTML'><mjx-math>q</mjx-math><mjx-assistive-mml>"
        f"{annotated(tex)}</mjx-assistive-mml></mjx-container>"
    ),
    "wikipedia": lambda tex: (
        "<span class='mwe-math-element'><span class='mwe-math-mathml-inline' style='display: none;'>"
        f"{annotated(tex, f'alttext={chr(34)}{html.escape(tex)}{chr(34)}')}</span><img src='https://wikimedia.org/api/rest_v1/"
        f"media/math/render/svg/1' class='mwe-math-fallback-image-inline' alt='{html.escape(tex)}'></span>"
    ),
    "wikipedia image": lambda tex: (
        f"<img class='mwe-math-fallback-image-inline tex' alt='{html.escape(tex)}' src='//x/1.png'>"
    ),
    "wordpress": lambda tex: (
        f"<img src='https://s0.wp.com/latex.php?latex=q' alt='{html.escape(tex)}' class='latex' />"
    ),
}


@pytest.mark.parametrize("backend", EXTRACT)
@pytest.mark.parametrize("form", FORMS)
def test_each_form_becomes_its_tex_once(form: str, backend: str) -> None:
    page = (
        f"<html><body><article>{PROSE}<p>We find {FORMS[form](chr(92) + 'frac{a}{b} < c')} here.</p>{PROSE}</article>"
    )
    text = EXTRACT[backend](page + "</body></html>")
    dollars = "$$" if "display" in form else "$"
    assert text.count(r"\frac{a}{b} < c") == 1
    assert rf"{dollars}\frac{{a}}{{b}} < c{dollars}" in text
    assert "here." in text
    assert "q" not in text.replace("requ", "")
    assert (r"$$\frac{a}{b} < c$$" in text.split("\n")) == ("display" in form)


@settings(max_examples=60, deadline=None)
@given(st.lists(TEX, min_size=1, max_size=4), st.sampled_from(["math", "katex", "katex display", "mathjax 3"]))
def test_every_annotation_stands_in_the_text_as_often_as_in_the_page(formulas: list[str], form: str) -> None:
    body = "".join(f"<p>Now {FORMS[form](tex)} holds.</p>" for tex in formulas)
    for extract in EXTRACT.values():
        text = extract(f"<html><body><article>{PROSE}{body}{PROSE}</article></body></html>")
        dollars = "$$" if "display" in form else "$"
        for tex in formulas:
            assert text.count(f"{dollars}{tex}{dollars}") >= 1
    kept = show(html.unescape(before(body)))
    assert kept.count("$" if "display" not in form else "$$") == 2 * len(formulas)


@pytest.mark.parametrize(
    "page",
    [
        r"<p>It costs $5 or $6, or \(x\) and $y$.</p>",
        "<script>var a = '<math>x</math>';</script><p>a</p></math>",
        "<!-- <span class='katex'>a</span> --></math>",
        "<img src='latex-mattress.png' class='photo latex-mattress' alt='A mattress'></math>",
        "<p>The command katex</p></math>",
    ],
)
def test_what_is_no_formula_stays(page: str) -> None:
    assert before(page) == page


def test_mathml_without_tex_is_turned_into_latex() -> None:
    page = "<p>Area <math display='block'><mi>π</mi><msup><mi>r</mi><mn>2</mn></msup></math></p>"
    assert show(html.unescape(before(page))) == "<p>Area <p>\n$$\\pi r^{2}$$\n</p></p>"
    assert "$a_{1}$" in before('<p><math alttext="a_{1}"><mi>a</mi></math></p>')
    assert "$$x$$" in before("<script type='math/mml'><math display='block'><mi>x</mi></math></script><p>katex</p>")


def test_addresses_of_images_hold_tex() -> None:
    page = "<img src='https://latex.codecogs.com/gif.latex?x%5E2&amp;space;+1'>"
    assert "$x^2" in before(page)


def test_real_pages() -> None:
    found = 0
    for page in warc("warc/llm-webkit-stress.warc.gz"):
        if b'class="katex' in page.payload:
            text = EXTRACT["resiliparse"](page.payload.decode())
            assert r"$\lim\limits_{x \to 1}\dfrac{x^2-1}{x-1}$" in text
            assert "vlist" not in text
            found += 1
    assert found
