from __future__ import annotations

import pytest

from lauter.stages.extract.backends import load_resiliparse, load_trafilatura
from lauter.stages.extract.lists import with_lists

EXTRACT = {"trafilatura": load_trafilatura(), "resiliparse": load_resiliparse()}
PROSE = "<p>There are several ways to do this, and each of them has its own merits, as the list below shows.</p>"
LIST = "<ul><li>First of all</li><li><p>Second <b>one</b></p><ul><li>Deeper still</li></ul></li></ul>"


@pytest.mark.parametrize("backend", EXTRACT)
def test_items_are_lines(backend: str) -> None:
    page = f"<html><body><article><h2>Ways</h2>{PROSE}{LIST}<h3>After</h3>{PROSE}</article></body></html>"
    lines = EXTRACT[backend](page).split("\n")
    for line in ("Ways", "- First of all", "- Second one", "  - Deeper still", "After"):
        assert line in lines


def test_numbered_lists_keep_their_numbers() -> None:
    page = f"<html><body><article>{PROSE}<ol><li>one</li><li>two</li></ol>{PROSE}</article></body></html>"
    assert "  1. one\n  2. two" in EXTRACT["resiliparse"](page)


@pytest.mark.parametrize(
    "page",
    [
        "<ul><li><a href='/'>Home</a></li><li>text beside it</li></ul>",
        "<ul class='main-menu'><li>Words</li></ul>",
        "<ul><li>Words <a href='/'>and more of them in a link</a></li></ul>",
        "<ul><li>Words <input type='radio'></li></ul>",
        "<ul><li>Words",
        "<ul></ul>",
    ],
)
def test_menus_and_forms_stay_lists(page: str) -> None:
    assert with_lists(page) == page
