from __future__ import annotations

import numpy as np
import pytest

from lauter.stages.extract.blocks.cutting import Blocks, cut
from lauter.stages.extract.blocks.gaps import drop_gutters, fill_gaps


def blocks_of(page: str) -> tuple[bytes, Blocks, list[str]]:
    html = page.encode()
    blocks = cut(html, max_nodes=len(html), max_depth=64)[1]
    texts = ["" for _ in blocks.rows]
    for start, stop, block in blocks.pieces.tolist():
        texts[block] += page[start:stop]
    return html, blocks, texts


def filled(page: str) -> list[str]:
    """What is filled in where the blocks that begin with a capital are kept."""
    html, blocks, texts = blocks_of(page)
    given = np.array([text.strip()[:1].isupper() for text in texts])
    keep = given.copy()
    fill_gaps(html, blocks, keep)
    return [text for text, now, then in zip(texts, keep, given, strict=True) if now and not then]


LIST = "<ul><li>rye<li>rolls</ul>"
TABLE = "<table><tr><td>rye<td>1 kg<tr><td>roll<td>60 g</table>"
TEX = "<div class=MathJax_Display><script type='math/tex; mode=display'>e = mc^2</script></div>"
KATEX = "<div class=katex-display><span class=katex>a<sup>2</sup></span></div>"


@pytest.mark.parametrize(
    ("between", "found"),
    [
        (LIST, ["rye", "rolls"]),
        (TABLE, ["rye", "1 kg", "roll", "60 g"]),
        ("<h2>what they sell</h2>", ["what they sell"]),
        (TEX, ["<script type='math/tex; mode=display'>e = mc^2</script>"]),
        (KATEX, ["<span class=katex>a<sup>2</sup></span>"]),
        ("<h2>what</h2>" + LIST, ["what", "rye", "rolls"]),
        ("<p>share this</p><h2>what</h2>", ["what"]),  # a heading right before text, whatever stands before it
        ("<h1>what</h1>", []),
        ("<p>share this</p>", []),
        (LIST + "<p>share this</p>", []),
        ("<ul><li><a href=x>another page</a></ul>", []),
        ("<aside><div>" + LIST + "</div></aside>", []),
        ("<table><tr><td>" + "a column of the layout of a page " * 3 + "</table>", []),
        ("<ul>" + "<li>one" * 500 + "</ul>", []),
    ],
)
def test_what_belongs_to_the_text_around_it_is_filled_in(between: str, found: list[str]) -> None:
    assert filled(f"<article><p>Text.</p>{between}<p>More text.</p></article>") == found


def test_the_rest_of_a_list_and_a_table_is_filled_in() -> None:
    assert filled("<ul><li>One<li>two<li>Three</ul>") == ["two"]
    assert filled("<table><tr><td>One<td>two<tr><td>three<td>Four</table>") == ["two", "three"]


def test_nothing_is_filled_in_before_the_first_and_behind_the_last() -> None:
    assert filled(f"{LIST}<p>Text.</p><p>More.</p>{LIST}") == []
    assert filled("") == [] == filled("<p>text") == filled("<p>Text")


def test_numbers_of_lines_go() -> None:
    page = (
        "<pre>12</pre><table><tr><td><pre>1\n2</pre><td><pre>x = 1\ny = 2</pre></table>"
        "<table><tr><td><pre>3 4</pre></table><p>End."
    )
    _, blocks, texts = blocks_of(page)
    keep = np.ones(len(blocks.rows), np.bool_)
    drop_gutters(blocks, keep)
    assert [text for text, kept in zip(texts, keep, strict=True) if not kept] == ["1\n2"]


def test_a_list_with_a_few_links_is_text() -> None:
    items = "<li>the rye that <a href=x>Anna</a> bakes, of flour, water and salt alone, for the market of the town"
    assert len(filled(f"<p>Text.</p><ul>{items}{items}</ul><p>More text.</p>")) == 2
