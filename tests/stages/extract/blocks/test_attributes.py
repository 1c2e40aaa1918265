from __future__ import annotations

import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.extract.blocks.attributes import attribute_words
from lauter.stages.extract.markup import name_hash

WHOLE = 0x9E3779B97F4A7C15


def told(tag: str) -> tuple[list[int], bool]:
    html = np.frombuffer(f"<{tag}>".encode(), np.uint8)
    start = re.match(r"[a-z]*", tag)
    assert start
    words, used, hidden = attribute_words(html, 1 + start.end(), len(html), np.zeros(2, np.uint64), 0)
    return words[:used].tolist(), bool(hidden)


def twin(value: str) -> list[int]:
    found: list[int] = []
    for name in value.split():
        cut = re.sub("(?<=[a-z])(?=[A-Z])", " ", re.sub("[^A-Za-z]", " ", name)).lower().split()
        words = [word for word in cut if len(word) > 1]
        found += [name_hash(word) for word in words]
        if len(words) > 1:
            found.append(name_hash(re.sub("[^a-z]", "", name.lower())) ^ WHOLE)
    return found


def test_names_are_cut_into_words() -> None:
    words, hidden = told('div class="postBody-2 x nav" id=main data-x="aside"')
    assert words == [
        name_hash("post"),
        name_hash("body"),
        name_hash("postbody") ^ WHOLE,
        name_hash("nav"),
        name_hash("main"),
    ]
    assert not hidden


def test_what_says_that_it_is_hidden() -> None:
    hidden = ["div hidden", "div style='color:red;display: none'", 'p aria-hidden="true"']
    seen = ["div", 'p aria-hidden="false"', "div style='border:none'", 'div data-hidden="1"', 'p title="display:none"']
    assert all(told(tag)[1] for tag in hidden)
    assert not any(told(tag)[1] for tag in seen)


@settings(max_examples=100, deadline=None)
@given(st.text("abAB-_1 ", max_size=20))
def test_equals_regular_expressions(value: str) -> None:
    assert told(f'div class="{value}"')[0] == twin(value)


@settings(max_examples=100, deadline=None)
@given(st.text("ab=\"' />-", max_size=20))
def test_any_bytes_end(value: str) -> None:
    told(f"div {value}")
