from __future__ import annotations

import numpy as np

from lauter.stages.extract.blocks.training.labels import example
from lauter.stages.extract.blocks.training.truth import Page
from tests.stages.extract.blocks.made_pages import made_page


def labelled(html: str, truth: str) -> list[bool]:
    found: list[bool] = example(Page("x", "made", "x.example", "en", None, html.encode(), truth)).wanted.tolist()
    return found


def test_the_text_belongs_and_menus_do_not() -> None:
    found = example(made_page(2))
    assert found.wanted.tolist() == [False] * 9 + [True] * 5 + [False] * 2
    assert np.isclose(found.weight[found.wanted].sum(), 1)


def test_a_short_block_belongs_as_a_line_or_between_its_like() -> None:
    long = "A sentence that is long enough to be known by its letters"
    page = f"<p>Yes</p><p>{long} one.</p><p>Yes</p><p>{long} two.</p><p>Yes</p><p>No way</p>"
    assert labelled(page, f"{long} one. Yes {long} two.") == [False, True, True, True, False, False]
    assert labelled(page, f"Yes\n{long} one.\n{long} two.") == [True, True, True, True, True, False]


def test_letters_of_any_script_and_no_punctuation_are_compared() -> None:
    assert labelled("<p>Что&nbsp;вы <b>СКАЗАЛИ</b> тогда, в Москве?</p>", "что вы сказали — тогда в москве") == [True]
    assert labelled("<p>!!!</p><p>…</p>", "words") == [False, False]
