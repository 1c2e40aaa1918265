from __future__ import annotations

import numpy as np

from lauter.stages.extract.backends import load_cascade
from lauter.stages.extract.blocks.cutting import cut
from lauter.stages.extract.blocks.kept import kept_html
from lauter.stages.extract.wire import KEPT


def kept(page: str, *left_out: int) -> str:
    html = page.encode()
    blocks = cut(html, max_nodes=len(html), max_depth=64)[1]
    keep = np.ones(len(blocks.rows), np.bool_)
    keep[list(left_out)] = False
    return kept_html(html, blocks, keep).decode()


def test_blocks_are_what_they_were() -> None:
    page = "<nav>menu</nav><h2 class=x>Top</h2><div>One <b>two</b></div><ul><li>three</ul>"
    assert kept(page, 0) == "<h2>Top</h2><p>One <b>two</b></p><div>- three</div>"
    assert kept(page, 0, 1, 2, 3) == ""


def test_cells_of_a_row_stay_in_it() -> None:
    page = "<table><tr><th>a<td>b<br><br>c<tr><td>d<td>e</table><p>f"
    assert kept(page) == "<table><tr><td>a</td><td>b<br><br>c</td></tr><tr><td>d</td><td>e</td></tr></table><p>f</p>"


def test_code_keeps_its_white_space_to_the_text() -> None:
    page = "<p>So:</p><pre><span>def f():</span>\n    return 1\n</pre><p>Then.</p>"
    assert kept(page) == "<p>So:</p><pre><span>def f():</span>\n    return 1\n</pre><p>Then.</p>"
    assert load_cascade()(KEPT.decode() + kept(page)) == "So:\n\ndef f():\n    return 1\n\nThen."
