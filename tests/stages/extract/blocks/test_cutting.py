from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.extract.blocks import text_run as run
from lauter.stages.extract.blocks.cutting import KIND, Blocks, cut
from lauter.stages.extract.markup import KINDS


def cut_page(page: str) -> Blocks:
    html = page.encode()
    return cut(html, max_nodes=len(html), max_depth=64)[1]


def sources(page: str) -> list[str]:
    html, blocks = page.encode(), cut_page(page)
    found = [b""] * len(blocks.rows)
    for start, stop, block in blocks.pieces.tolist():
        found[block] += html[start:stop]
    return [each.decode() for each in found]


def kinds(page: str) -> list[str]:
    blocks = cut_page(page)
    return [KINDS[blocks.elements[row[run.ELEMENT], KIND] - 1] for row in blocks.rows]


def test_blocks_end_at_borders_and_not_at_inline_tags() -> None:
    page = "<body><h1>Top</h1><p>One <b>two</b> <a href=x>three</a></p><ul><li>four<li>five</ul>tail"
    assert sources(page) == ["Top", "One <b>two</b> <a href=x>three</a>", "four", "five", "tail"]
    assert kinds(page) == ["h1", "p", "li", "li", "body"]


def test_inline_tags_before_the_text_belong_to_it() -> None:
    assert sources("<p><span class=katex>x</span></p><p> <b></b> </p>") == ["<span class=katex>x</span>"]


def test_two_line_breaks_end_a_block_and_one_does_not() -> None:
    assert sources("<p>a<br>b<br/> <br>c</p>") == ["a<br>b<br/> ", "c"]


def test_scripts_comments_and_what_nobody_sees_are_left_out() -> None:
    page = "<p>a<script>x</script>b<!-- c -->f</p><noscript>g</noscript><select><option>h</select><video>i</video>"
    assert sources(page) == ["abf"]
    assert sources("<p>a<svg><title>d</title><g>e</g></svg>f</p>") == ["af"]


def test_formulas_stay_in_their_line_or_are_blocks() -> None:
    tex = '<script type="math/tex">x^2</script>'
    assert sources(f"<p>so {tex} is</p><div>{tex}</div>") == [f"so {tex} is", tex]
    math = "<math><mi>x</mi><annotation>x</annotation></math>"
    assert sources(f"<p>so {math} is</p>") == [f"so {math} is"]


def test_links_and_code_are_counted() -> None:
    blocks = cut_page("<p>ab <a>cde</a></p><pre>  x = 1\n</pre>")
    assert blocks.rows[:, run.LINKED].tolist() == [3, 0]
    assert blocks.rows[:, run.LINKS].tolist() == [1, 0]
    assert blocks.rows[:, run.IN_PRE].tolist() == [0, 1]


class Twin(HTMLParser):
    """Blocks of well-formed pages with these tags alone."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = [""]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "b":
            self.blocks.append("")

    def handle_endtag(self, tag: str) -> None:
        self.handle_starttag(tag, [])

    def handle_data(self, data: str) -> None:
        self.blocks[-1] += data


@st.composite
def pages(draw: st.DrawFn, depth: int = 3) -> str:
    if depth == 0 or draw(st.booleans()):
        return draw(st.sampled_from(["a", "bc ", " ", "d. "]))
    inner = "".join(draw(st.lists(pages(depth - 1), max_size=3)))
    name = draw(st.sampled_from(["div", "section", "b"]))
    return f"<{name}>{inner}</{name}>"


@settings(max_examples=150, deadline=None)
@given(st.lists(pages(), max_size=4).map("".join))
def test_equals_the_parser_of_python(page: str) -> None:
    twin = Twin()
    twin.feed(page)
    twin.close()
    ours = [each.replace("<b>", "").replace("</b>", "").strip() for each in sources(page)]
    # Border tags inside <b> end its line in both; what is white space only is no block.
    assert ours == [text for each in twin.blocks if (text := each.strip())]


@settings(max_examples=200, deadline=None)
@given(st.text("<>/abp!-\"'= br", max_size=60))
def test_any_page_is_cut_and_pieces_are_in_order(page: str) -> None:
    blocks = cut_page(page)
    ends = blocks.pieces[:, :2].ravel().tolist()
    assert ends == sorted(ends) and (not ends or ends[-1] <= len(page.encode()))
    assert sorted({*blocks.pieces[:, 2].tolist()}) == list(range(len(blocks.rows)))
