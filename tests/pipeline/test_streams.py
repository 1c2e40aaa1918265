"""Streams: which one a document belongs to, what it is called, and what a manifest may not say."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lauter.pipeline.streams import StreamRule, StreamsSection, describe, rule_of, stream_faults, taken_names

LABELS = ["deu_Latn", "gsw_Latn", "fra_Latn", "rus_Cyrl", "../up", None]
WHOLE = {
    "sources": {"web": ["a", "b"]},
    "languages": {"german": ["deu_Latn", "gsw_Latn"], "each": ["*_Latn"]},
    "lengths": [10, 20],
    "copies": "fineweb2",
}


def section(**given: object) -> StreamsSection:
    return StreamsSection.model_validate(given)


def names(rule: StreamRule, language: str | None, length: int, copies: int) -> str:
    found, index = rule.assign(pa.array([language], pa.string()), np.array([length]), np.array([copies], np.uint32))
    return found[int(index[0])]


@pytest.mark.parametrize(
    ("source", "language", "length", "copies", "name"),
    [
        ("a", "gsw_Latn", 9, 1, "web.german.0-9.x1"),
        ("b", "fra_Latn", 10, 2, "web.fra_Latn.10-19.x2"),
        ("c", "rus_Cyrl", 20, 4, "c.rest.20-up.x3-4"),
        ("c", None, 19, 99, "c.rest.10-19.x5-99"),
        ("a", "../up", 1, 1000, "web.rest.0-9.x1000-up"),
    ],
)
def test_names(source: str, language: str | None, length: int, copies: int, name: str) -> None:
    assert names(rule_of(section(**WHOLE), source, "main"), language, length, copies) == name


def test_without_a_section_there_is_one_stream() -> None:
    for declared in (None, section()):
        assert names(rule_of(declared, "a", "main"), "deu_Latn", 5, 7) == "main"
    assert names(rule_of(section(languages="each"), "a", "main"), "deu_Latn", 5, 7) == "main.deu_Latn"
    assert names(rule_of(section(sources="each"), "a", "main"), "deu_Latn", 5, 7) == "a"


ROWS = st.lists(st.tuples(st.sampled_from(LABELS), st.integers(0, 40), st.integers(1, 2000)), max_size=30)


@given(rows=ROWS, by=st.sets(st.sampled_from(["sources", "languages", "lengths", "copies"])))
def test_a_document_is_where_its_properties_say(rows: list[tuple[str | None, int, int]], by: set[str]) -> None:
    declared = section(**{key: WHOLE[key] for key in by})
    rule = StreamRule.from_json(rule_of(declared, "a", "main").to_json())
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    found, index = rule.assign(
        pa.array(columns[0], pa.string()).dictionary_encode(), np.array(columns[1], np.int64), np.array(columns[2], int)
    )
    assert found == sorted(set(found)) and sorted(set(index.tolist())) == list(range(len(found)))
    for (label, length, copies), name in zip(rows, (found[number] for number in index), strict=True):
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name)
        said = describe(name, declared)
        assert set(said) == {{"languages": "language", "lengths": "tokens"}.get(key, key) for key in by}
        assert said.get("sources", "web") == "web"
        if "languages" in by:
            group = {"deu_Latn": "german", "gsw_Latn": "german", "fra_Latn": "fra_Latn"}.get(label or "", "rest")
            assert said["language"] == group
        for key, value in (("tokens", length), ("copies", copies)):
            first, last = said.get(key, [value, value])
            assert first <= value <= (value if last is None else last)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"lengths": [20, 10]}, "bounds must rise"),
        ({"copies": [1, 5]}, "greater than or equal to 2"),
        ({"copies": "fineweb"}, "should be a valid tuple"),
        ({"languages": {"german": ["deu"]}}, "should match pattern"),
        ({"languages": {"a.b": ["deu_Latn"]}}, "should match pattern"),
        ({"sources": {"web": []}}, "at least 1 item"),
        ({"length": [5]}, "Extra inputs"),
    ],
)
def test_what_a_section_may_not_say(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        section(**given)


def test_what_does_not_fit_the_manifest() -> None:
    wrong = section(
        sources={"web": ["a", "z"], "c": ["a"]},
        languages={"rest": ["deu_Latn"], "two": ["deu_Latn"]},
        copies=[2],
    )
    found = dict(stream_faults(wrong, ["a", "b", "c"], labelled=False, joined=False))
    assert list(found) == [
        ("sources", "web", 1),
        ("sources", "c", 0),
        ("sources", "c"),
        ("languages",),
        ("languages", "rest"),
        ("languages", "two", 0),
        ("copies",),
    ]
    assert found["sources", "web", 1] == "unknown source 'z'; valid are: a, b, c"
    assert list(stream_faults(section(**WHOLE), ["a", "b"], labelled=True, joined=True)) == []


GERMAN = {"json": ["deu_Latn"]}


@pytest.mark.parametrize(
    ("given", "sources", "stream", "places"),
    [
        (None, ["a"], "tokenizer", [("sharding", "stream")]),
        ({}, ["a", "b"], "tokenizer", [("sharding", "stream")]),
        ({"sources": {"tokenizer": ["a"]}}, ["a", "b"], "main", [("streams", "sources", "tokenizer")]),
        ({"sources": "each"}, ["a", "tokenizer"], "tokenizer", [("sources", 1, "name")]),
        ({"languages": GERMAN}, ["a"], "index", [("sharding", "stream")]),
        ({"languages": GERMAN, "sources": {"index": ["a", "b"]}}, ["a", "b"], "x", [("streams", "sources", "index")]),
        # A stage of one's own may write the label `json`.
        ({"languages": "each"}, ["a"], "index", [("sharding", "stream")]),
        ({"languages": {"each": ["*_Latn"]}}, ["a"], "index", []),
        ({"languages": {"german": ["deu_Latn"]}}, ["a"], "index", []),
        ({"languages": GERMAN, "lengths": [9]}, ["a"], "index", []),
        ({"languages": GERMAN, "copies": [9]}, ["a"], "index", []),
        ({"languages": GERMAN}, ["a"], "tokenizer", []),
        (None, ["a", "tokenizer", "index"], "index", []),
    ],
)
def test_what_else_lies_in_tokens_is_no_stream(
    given: dict[str, object] | None, sources: list[str], stream: str, places: list[tuple[str | int, ...]]
) -> None:
    declared = None if given is None else section(**given)
    assert [place for place, _ in taken_names(declared, sources, stream)] == places


@given(
    first=st.sampled_from(["index", "tokenizer", "main"]),
    languages=st.none()
    | st.dictionaries(st.sampled_from(["json", "each", "de"]), st.just(("deu_Latn", "*")), min_size=1),
    bounds=st.sampled_from([(), (5,)]),
    label=st.sampled_from(["json", "deu_Latn", "rest", None]),
)
def test_a_stream_that_was_not_foreseen_is_never_made(
    first: str, languages: dict[str, tuple[str, ...]] | None, bounds: tuple[int, ...], label: str | None
) -> None:
    rule = StreamRule(first, None if languages is None else tuple(languages.items()), bounds, ())
    name = names(rule, label, 7, 1)
    assert name not in ("index.json", "tokenizer") or rule.may_make(name)
