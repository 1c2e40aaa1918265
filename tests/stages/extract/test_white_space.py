from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.extract.white_space import joined_lines, tidied


@given(st.text(st.sampled_from("ab <>p\n\r/"), max_size=40))
def test_line_ends_of_a_source_are_spaces(page: str) -> None:
    assert joined_lines(page) == page.translate({10: 32, 13: 32, 12: 32})


def test_preformatted_text_keeps_its_lines() -> None:
    page = "<p>a\nb</p>\n<PRE class=x>c\n d</PRE>\n<textarea>e\nf</textarea>\n<pre>never\nclosed"
    joined = "<p>a b</p> <PRE class=x>c\n d</PRE> <textarea>e\nf</textarea> <pre>never closed"
    assert joined_lines(page) == joined


def test_tidied() -> None:
    text = "\n  a  b\tc \n\n\n\n\t d\n- e\n  - f  \n  1. g\n"
    assert tidied(text) == "a b c\n\nd\n- e\n  - f\n  1. g"
