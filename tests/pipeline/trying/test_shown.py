"""How a tried record is shown: JSON that every parser takes, and words for people."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lauter.pipeline.natural_units import natural
from lauter.pipeline.trying.shown import CHANGED_LINES, COMPARED, as_json, lines
from lauter.pipeline.trying.trial import Tried

ROW = Tried({"id": 7, "text": "old"}, "old", None, "kept", None, None, {"text": "new", "words": 1}, None)


def shown(tried: Tried) -> str:
    return "\n".join(line.plain for line in lines(1, tried))


def test_a_row_as_data() -> None:
    row = replace(
        ROW,
        verdict="dropped",
        stage="mine",
        reason="too-short",
        rule={"agent": None, "signal": "words", "line": None, "text": "1 < 2"},
        spans=((0, 3, "email"),),
    )
    assert json.loads(as_json(row)) == {
        "id": 7,
        "text": "new",
        "words": 1,
        "verdict": "dropped",
        "stage": "mine",
        "reason": "too-short",
        "rule": {"signal": "words", "text": "1 < 2"},
        "spans": [{"start": 0, "end": 3, "type": "email"}],
    }


def test_the_text_is_the_one_that_was_read_where_no_stage_rewrote_it() -> None:
    assert json.loads(as_json(replace(ROW, columns={"words": 1})))["text"] == "old"
    assert json.loads(as_json(replace(ROW, before=None, columns=None)))["text"] == "old", "its own field"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), None),
        (float("inf"), None),
        ("\ud800", "\ud800"),
        ("é\u2028", "é\u2028"),
        (b"\xff\x00", "ff00"),
        (datetime(2024, 1, 2, tzinfo=UTC), "2024-01-02T00:00:00+00:00"),
        ({"a": [1, (2.5, None)]}, {"a": [1, [2.5, None]]}),
    ],
)
def test_whatever_a_field_holds_is_one_line_of_json(value: object, expected: object) -> None:
    line = as_json(replace(ROW, given={"odd": value}))
    assert "\n" not in line and json.loads(line)["odd"] == expected
    line.encode()


def test_scores_in_natural_units_stand_beside_the_stored_ones() -> None:
    columns = {
        "language_score": 8215,
        "mean_word_length": 512,
        "stop_words": 3,
        "top_ngram_ratios": [1, 2, 10_000],
        "toxicity_model": 3,
    }
    found = json.loads(as_json(replace(ROW, columns=columns)))
    assert found["language_score"] == 8215
    assert found["natural"] == {
        "language_score": 0.8215,
        "mean_word_length": 5.12,
        "top_ngram_ratios": [0.0001, 0.0002, 1.0],
        "toxicity_model": "detoxify",
    }
    assert natural("top_languages", [{"language": "deu_Latn", "score": 5000}]) == [
        {"language": "deu_Latn", "score": 0.5}
    ]
    assert natural("mine", 3) is None and natural("toxicity", None) is None


def test_words_for_people() -> None:
    row = replace(
        ROW, before="same\nold line\nsame too", columns={"text": "same\nnew line\nsame too", "language_score": 8215}
    )
    told = shown(
        replace(row, verdict="dropped", stage="mine", reason="why", rule={"text": "x < y"}, spans=((5, 8, "email"),))
    )
    assert "dropped  mine: why  x < y" in told
    assert "language_score 0.8215" in told and "found email 5-8" in told
    assert "- old line" in told and "+ new line" in told and "same too" not in told


def test_spans_of_both_texts_are_written_alike() -> None:
    spans = [{"start": 5, "end": 7, "type": "email"}, {"start": 9, "end": 12, "type": "phone"}]
    told = shown(replace(ROW, columns={"spans": spans, "none": [], "words": 2}, spans=((5, 12, "email"),)))
    assert "words 2\n" in told and "found email 5-12\n" in told and "none" not in told
    assert "spans, in the text as it is now: email 5-7, phone 9-12" in told


def test_a_list_of_numbers_is_shown_as_one() -> None:
    assert "counts [3, 1]" in shown(replace(ROW, columns={"counts": [3, 1], "none": []}))


def test_a_record_that_cannot_be_read_tells_its_place() -> None:
    given = {"file": "a.jsonl", "line": 1200, "fault": "Expecting value, at character 10"}
    row = replace(ROW, given=given, before=None, columns=None)
    assert "a.jsonl, line 1,200: Expecting value, at character 10" in shown(replace(row, verdict="error"))
    assert "1,200" not in shown(row), "its own fields"


def test_long_texts_are_cut() -> None:
    before = "\n".join(f"line {n}" for n in range(40))
    told = shown(replace(ROW, before=before, columns={"text": before.replace("line", "Line")}))
    assert told.count("- line") + told.count("+ Line") == CHANGED_LINES and "more changed lines" in told
    long = "x" * (COMPARED + 1)
    assert f"… {COMPARED + 2:,} code points in all" in shown(replace(ROW, before=long, columns={"text": long + "y"}))
    assert "code points" not in shown(replace(ROW, before=long, columns={"text": long}))
