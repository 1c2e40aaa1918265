from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.extract.backends import load_cascade
from lauter.stages.extract.blocks.cutting import cut
from lauter.stages.extract.blocks.kept import kept_html
from lauter.stages.extract.blocks.rule import EMBEDDED, judge, load
from lauter.stages.extract.blocks.writing import text_of
from lauter.stages.extract.encoding import decode
from lauter.stages.extract.wire import KEPT
from tests.stages.extract.pages import warc


def both(page: str) -> tuple[str | None, str]:
    """The text of all blocks, and what the parser makes of them."""
    html = page.encode()
    _, blocks = cut(html, max_nodes=len(html), max_depth=64)
    keep = np.ones(len(blocks.rows), np.bool_)
    return text_of(html, blocks, keep), load_cascade()((KEPT + kept_html(html, blocks, keep)).decode())


TABLE = "<table><tr><th>a<td> b<br>c <tr><td>d<tr><td>e<td><b>f</b><td>g</table>"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>One <b>two</b>\n three<br> four</p><div>five</div>", "One two three\nfour\n\nfive"),
        ("<ul><li>one<li> two </ul><h2>Top</h2><li>three", "- one\n- two\n\nTop\n\n- three"),
        (f"<p>x{TABLE}y", "x\n\n| a | b c |\nd\n| e | f | g |\n\ny"),
        (TABLE, "| a | b c |\nd\n| e | f | g |"),
        ("<table><tr><td>a<br>b<tr><td>c</table>", "a\nb\nc"),
        ("<table><tr><td>a<div>b</div>c<td>d</table>", "a\n\nb\n\n| c | d |"),
        ("<p>a &lt;b&gt; &copy 5&nbsp; &amp;lt; c&#10;d &#32; e", "a <b> © 5 &lt; c d e"),
        ("<p>a<label>b</label> c<img alt=d><input value=e>f<q>g</q>", "a cfg"),
        ("<p>x<pre>\n\n  if a:\n\tb &lt; <b>2</b><br>  \n\n</pre><p>y", "x\n\n  if a:\n\tb < 2\n\ny"),
        ("<pre> a\r\n b</pre><pre>\n\nc</pre>", " a\n b\n\n\nc"),
        ("<p>see <code>a  b</code>", "see a b"),
        ("<p>5 < 6 <3 and</ p>", "5 < 6 <3 and"),
        ("<p>a\0b\x0cc", "ab c"),
        (f"<p>a&#{'0' * 5000}98;&#{'9' * 5000};", "ab\ufffd"),
        (f"<pre>a&#{'9' * 5000};</pre>", "a\ufffd"),
        ("<p>&nbsp;</p><p>a</p><p>&#12288;</p><p>b", "a\n\nb"),
        ("", ""),
    ],
)
def test_text_is_that_of_the_parser(page: str, text: str) -> None:
    ours, parsed = both(page)
    assert ours == text
    assert ours == parsed


def test_the_text_behind_a_drawing_stays() -> None:
    assert both("<p>a <svg><path d=x><g>no</g></svg> b</p><p>c")[0] == "a b\n\nc"


def test_a_text_that_speaks_of_cookies_is_written() -> None:
    assert (
        both("<p>The regulator says that publishers use cookies.")[0]
        == "The regulator says that publishers use cookies."
    )


def test_what_only_screen_readers_read_is_left_out() -> None:
    page = "<p>a <a href=x>b <span class='u-Visually-Hidden'>(<span>opens</span> anew)</span></a> c<img class=vh> d"
    assert both(page)[0] == "a b c d"
    assert both("<p>a <i class='x-vh y'>b<p>c")[0] == "a\n\nc"


@pytest.mark.parametrize(
    "page",
    [
        "<p>so <math><mi>x</mi></math> is",
        "<p>so <script type='math/tex'>x</script> is",
        "<p>so <span class=katex>x</span> is",
        "<p>so <img class=latex alt=x> is",
        "<p>so <span class=MathJax_Preview>x</span>",
        "<p>so <span class=mwe-math-element>x</span>",
        "<p>see <code>a<br>b</code>",
        "<p>see <code style='white-space: pre'>a  b</code>",
        "<pre><span class=lineno>1 </span>a = b</pre>",
        "<pre><span class='Line-Number'>1 </span>a = b</pre>",
        "<pre><a href=x>file</a> 1</pre>",
        "<pre>1\n2</pre>",
        "<p>We use COOKIES to give you the best experience on our website.",
    ],
)
def test_what_a_parser_must_see_is_not_written(page: str) -> None:
    assert both(page)[0] is None


_PARTS = "a bc é 日本 \xa0 &nbsp; &amp; &eacute;t &lt;x &#x41; & < . text 1 <br> <b> </b> <i>x</i>"
WORDS = st.sampled_from(_PARTS.split(" "))
LINE = st.lists(st.sampled_from([" ", "\n", "", "\t "]) | WORDS, max_size=6).map("".join).map(lambda line: f"w{line}w")
CODE = st.lists(st.sampled_from([" ", "\n", "\t", "x", "&lt;", "<b>", "</b>", "é"]), max_size=8).map("".join)
BLOCK = (
    st.tuples(st.sampled_from(["p", "h2", "div", "li"]), LINE).map(lambda found: "<{0}>{1}</{0}>".format(*found))
    | st.lists(st.lists(LINE, min_size=1, max_size=3).map("<td>".join), min_size=1, max_size=3).map(
        lambda rows: f"<table><tr><td>{'<tr><td>'.join(rows)}</table>"
    )
    | CODE.map(lambda code: f"<pre>x{code}x</pre>")
)


@settings(max_examples=80, deadline=None)
@given(st.lists(BLOCK, max_size=5).map("".join))
def test_any_page_of_such_blocks_gives_the_text_of_the_parser(page: str) -> None:
    ours, parsed = both(page)
    assert ours == parsed


@settings(max_examples=100, deadline=None)
@given(st.text("<>/abptd!-\"'= r&;\n", max_size=80))
def test_any_source_is_written_or_left(page: str) -> None:
    html = page.encode()
    _, blocks = cut(html, max_nodes=len(html), max_depth=64)
    text = text_of(html, blocks, np.ones(len(blocks.rows), np.bool_))
    assert text is None or text == text.strip("\n")


def test_public_pages_have_the_text_of_the_parser() -> None:
    rule, parser = load(EMBEDDED), load_cascade()
    same = written = asked = 0
    for page in warc("warc/aeb.warc.gz")[:40]:
        decoded = decode(page.payload, charset=None, markup=True)
        assert decoded is not None
        _, blocks = cut(decoded.utf8, max_nodes=100_000, max_depth=256)
        keep = judge(rule, blocks, keep_above=0).keep
        ours = text_of(decoded.utf8, blocks, keep)
        asked += 1
        written += ours is not None
        same += ours == parser((KEPT + kept_html(decoded.utf8, blocks, keep)).decode())
    assert written >= 0.9 * asked
    assert same >= 0.9 * asked
