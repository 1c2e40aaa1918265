from __future__ import annotations

import html

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline.contract import StageContext
from lauter.stages.extract import Extract, ExtractConfig
from lauter.stages.extract.backends import load_resiliparse, load_trafilatura
from lauter.stages.extract.code_blocks import code_of, with_code
from lauter.stages.extract.marks import show
from lauter.stages.normalise import normalise
from tests.stages.extract.pages import records

EXTRACT = {"trafilatura": load_trafilatura(), "resiliparse": load_resiliparse()}
PROSE = "<p>The program below is explained line by line, and every line of it is there for a reason of its own.</p>"
CODE = st.text(st.sampled_from("abcdef01 \n\t{}()<>&;:#'\"\\|=_世"), min_size=1, max_size=80)

PROGRAM = "import os\n\n\ndef f(x):\n    if x < 1 && \"a\":\n\treturn  {'k': 1}   # two\n\n    return None"


def shown(page: str) -> str:
    return show(html.unescape(with_code(page)))


def page_of(*bodies: str) -> str:
    return f"<html><body><article>{PROSE}{PROSE.join(bodies)}{PROSE}</article></body></html>"


@settings(max_examples=80, deadline=None)
@given(st.lists(CODE.filter(lambda code: any(char.isalpha() for char in code)), min_size=1, max_size=3))
def test_white_space_of_code_is_that_of_the_page(blocks: list[str]) -> None:
    page = page_of(*(f"<pre><code>{html.escape(code)}</code></pre>" for code in blocks))
    for extract in EXTRACT.values():
        text = extract(page)
        for code in blocks:
            lines = code.split("\n")
            while not lines[0].strip():
                del lines[0]
            while not lines[-1].strip():
                del lines[-1]
            assert "\n" + "\n".join(lines) + "\n" in text


@pytest.mark.parametrize("backend", EXTRACT)
def test_code_goes_through_extraction_and_normal_form(backend: str) -> None:
    text = normalise(EXTRACT[backend](page_of(f"<pre>\n{html.escape(PROGRAM)}\n</pre>")))
    assert f"\n{PROGRAM}\n" in text


@pytest.mark.parametrize("backend", ["trafilatura", "trafilatura-precision", "resiliparse"])
def test_the_stage_keeps_code(backend: str) -> None:
    stage = Extract(ExtractConfig.model_validate({"backend": backend}), StageContext())
    verdict = stage.apply(records([page_of(f"<PRE>{html.escape(PROGRAM)}</PRE>").encode()]))
    stage.close()
    assert f"\n{PROGRAM}\n" in verdict.columns["text"][0].as_py()


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("<pre>a\r\n  b</pre>", "a\n  b"),
        ("<pre><span class='k'>if</span> x:<br>    y<br/>z</pre>", "if x:\n    y\nz"),
        ("<pre><div class='line'>  a</div><div class='line'>b</div></pre>", "  a\nb"),
        ("<pre><div class='line'>  a\n</div>\n<div class='line'>b\n</div></pre>", "  a\nb"),
        ("<pre><code><ol><li>a</li><li>  b</li></ol></code></pre>", "a\n  b"),
        ("<pre><span class='lineno'> 1 </span>a\n<span class='lineno'>10 </span>b</pre>", "a\nb"),
        ("<pre><a class='line-number' href='#l1'>1</a>a\nb</pre>", "a\nb"),
        ("<pre><button>Copy</button>a<!-- b --><style>c</style></pre>", "a"),
        ("<pre>a&nbsp;&nbsp;b &lt;i&gt;</pre>", "a  b <i>"),
        ("<code>if a<br>&nbsp;&nbsp;b  c\n  d</code>", "if a\n  b c d"),
        ("<code style='white-space: pre'>a\n  b</code>", "a\n  b"),
    ],
)
def test_markup_inside_code(source: str, code: str) -> None:
    inner = shown(source)
    assert inner[inner.index(">") + 1 : inner.rindex("</")].strip("\n") == code


def test_syntax_highlighter_is_a_block_without_its_gutter() -> None:
    source = (
        "<div class='syntaxhighlighter java'><table><tr><td class='gutter'><div class='line number1'>1</div>"
        "<div class='line number2'>2</div></td><td class='code'><div class='container'>"
        "<div class='line number1'><code class='java'>if</code> (a)</div>"
        "<div class='line number2'><code class='spaces'>&nbsp;&nbsp;</code><code>b;</code></div></div></td></tr>"
        "</table></div>"
    )
    assert shown(source) == "<pre>\nif (a)\n  b;\n</pre>"


@pytest.mark.parametrize("backend", EXTRACT)
def test_a_table_with_line_numbers_is_code(backend: str) -> None:
    table = (
        "<table class='highlighttable'><tr><td class='linenos'><pre>8\n9\n10</pre></td>"
        "<td class='code'><pre>if a:\n    b\nc</pre></td></tr></table>"
    )
    lines = EXTRACT[backend](page_of(table)).split("\n")
    at = lines.index("if a:")
    assert lines[at : at + 3] == ["if a:", "    b", "c"]
    assert not any("|" in line or line.strip() in ("8", "9", "10") for line in lines)


@pytest.mark.parametrize(
    "page",
    [
        "<pre><h2>Title</h2>text</pre>",
        "<pre><table><tr><td>a</td></tr></table></pre>",
        "<pre><a href='a.txt'>a.txt</a>  <a href='b.txt'>b.txt</a> 1K</pre>",
        "<pre> \n </pre>",
        "<pre>never closed",
        "<script>'<pre>a  b</pre>'</script>",
        "<!-- <pre>a  b</pre> -->",
        "<p>one <code>a  b</code></p>",
        "<prelude>a  b</prelude>",
    ],
)
def test_what_is_no_code_stays(page: str) -> None:
    assert with_code(page) == page


def test_digits_of_any_number_are_no_gutter() -> None:
    digits = "3" * 5_000
    assert with_code(f"<pre>{digits} {digits}</pre>") != ""
    assert code_of(f"<b>&#{digits};</b>") == "\ufffd"


@given(st.text(st.sampled_from("<>/pre code span class=ln 12 abr\n"), max_size=60))
def test_any_markup_is_read(source: str) -> None:
    assert isinstance(code_of(source), str)
    assert isinstance(with_code(f"<pre>{source}</pre>"), str)
