from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.extract.marks import BEGIN, END, hide, hide_block, lines_of, show, without_marks

TEXT = st.text(st.sampled_from("ab{}\n\t \u3000;世\r\u2003"), max_size=40)


@given(TEXT)
def test_what_is_hidden_comes_back(text: str) -> None:
    hidden = hide(text)
    assert not set(hidden) & set("\n\t\u3000") and "  " not in hidden
    assert show(f"a{BEGIN}{hidden}{END}b") == "a\n" + "\n".join(lines_of(text)) + "\nb"


@given(TEXT)
def test_an_extractor_may_join_and_trim_spaces(text: str) -> None:
    hidden = hide_block(text)
    lines = lines_of(text)
    while lines and not lines[0].strip():
        del lines[0]
    while lines and not lines[-1].strip():
        del lines[-1]
    assert show(" ".join(hidden.split())) == "\n".join(lines)


def test_blocks_stand_on_lines_of_their_own() -> None:
    block = hide_block("\n\n  if x:\n\ty\n \n")
    assert show(f"before {block} after {block}\n{block}") == "before\n  if x:\n\ty\nafter\n  if x:\n\ty\n\n  if x:\n\ty"
    assert hide_block(" \n\t\n") == ""


def test_a_text_without_marks_is_not_touched() -> None:
    text = "  a \n\n\n\t b  "
    assert show(text) is text
    assert without_marks(f"a{BEGIN}b") == "ab"
