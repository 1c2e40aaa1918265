from __future__ import annotations

import time

import pytest

from lauter.stages.extract.elements import Ends, attributes, opaque_end


@pytest.mark.parametrize(
    ("page", "source"),
    [
        ("<div>a<div>b</div></div>c", "<div>a<div>b</div></div>"),
        ("<DIV class='a>b'>x</dIv >y", "<DIV class='a>b'>x</dIv >"),
        ("<span>a<div>b</span></div>", "<span>a<div>b</span>"),
        ("<a><abbr></abbr></a>", "<a><abbr></abbr></a>"),
        ("<div>a", None),
        ("a<div>", None),
    ],
)
def test_where_an_element_ends(page: str, source: str | None) -> None:
    end = Ends(page, 100).of(0)
    assert (page[:end] if end else None) == source


def test_an_element_over_the_limit_never_ends() -> None:
    page = "<div>" + "x" * 200 + "</div><p>a</p><div>b</div>"
    ends = Ends(page, 100)
    assert ends.of(0) is None
    assert ends.of(page.index("<p>")) == page.index("<div>b")
    assert ends.of(page.index("<div>b")) == len(page)


def test_elements_that_never_end_cost_linear_time() -> None:
    page = "<div>" * 100_000  # each read to the end: minutes
    ends, before = Ends(page, 1 << 30), time.process_time()
    assert all(ends.of(start) is None for start in range(0, len(page), 5))
    assert time.process_time() - before < 5


def test_attributes() -> None:
    tag = "<img CLASS=a src='x&amp;y' alt=\"a > b\" alt=second hidden>"
    assert attributes(tag) == {"class": "a", "src": "x&y", "alt": "a > b", "hidden": ""}


@pytest.mark.parametrize(
    ("page", "rest"),
    [
        ("<!-- a > b --><p>", "<p>"),
        ("<script>if (a </b>) '<pre>'</script ><p>", "<p>"),
        ("<style>a", ""),
        ("<!-- a", ""),
    ],
)
def test_where_no_markup_ends(page: str, rest: str) -> None:
    assert page[opaque_end(page, 0) :] == rest
