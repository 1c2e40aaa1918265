"""Personal data in dialogues: marks move along, and none is found across the end of a turn without being cut there."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline import schema
from lauter.stages.kernels.words import text_buffers
from lauter.stages.pii import Pii
from lauter.stages.pii.spans import Match
from lauter.stages.pii.turns import apart

WORDS = st.sampled_from(
    ["foo.bar@example.org", "+41 44 668 18 00", "DE89 3704 0044 0532 0130 00", "straße", "中文", "x"]
)
TURNS = st.lists(st.lists(WORDS, min_size=1, max_size=4).map("; ".join), min_size=1, max_size=4)


def dialogue(turns: list[str], gap: str) -> pa.RecordBatch:
    marks, at = [], 0
    for turn in turns:
        at += len(turn)
        marks.append({"start": at, "end": at + len(gap), "control": "<t>", "trained": True, "opens": False})
        at += len(gap)
    return pa.record_batch(
        {
            "text": pa.array([gap.join([*turns, ""]), "a plain text, mail me@example.org"], pa.large_string()),
            "marks": pa.array([marks, None], schema.RECORD.field("marks").type),
        }
    )


@settings(max_examples=12, deadline=None)
@given(turns=TURNS)
def test_turns_are_cleaned_as_if_alone(pii: Pii, turns: list[str]) -> None:
    columns = pii.apply(dialogue(turns, "\n\n")).columns
    alone = pii.apply(pa.record_batch({"text": pa.array(turns, pa.large_string())})).columns["text"].to_pylist()
    text, marks = columns["text"][0].as_py(), columns["marks"][0].as_py()
    found, at = [], 0
    for mark in marks:
        found.append(text[at : mark["start"]])
        assert text[mark["start"] : mark["end"]] == "\n\n"
        assert mark["trained"]
        at = mark["end"]
    assert found == alone
    assert columns["marks"][1].as_py() is None
    for span in columns["pii_spans"][0].as_py():
        assert text[span["start"] : span["end"]] == f"<{span['type']}-pii>"
        assert not any(span["start"] < mark["end"] and mark["start"] < span["end"] for mark in marks)


def test_a_number_over_the_end_of_a_turn_goes_on_both_sides(pii: Pii) -> None:
    # Without the mark it is one IBAN; a gap of one space lets it be found across.
    batch = dialogue(["say DE89 3704 0044", "0532 0130 00 please"], " ")
    columns = pii.apply(batch).columns
    text, marks = columns["text"][0].as_py(), columns["marks"][0].as_py()
    assert text == "say <iban-pii> <iban-pii> please "
    assert [(mark["start"], mark["end"]) for mark in marks] == [(14, 15), (32, 33)]


PLACES = st.lists(st.integers(0, 12), max_size=8).map(sorted)


@settings(max_examples=150, deadline=None)
@given(edges=PLACES, ends=PLACES)
def test_matches_are_what_marks_leave_of_them(edges: list[int], ends: list[int]) -> None:
    text = "äb漢d" * 3
    marks = {0: [{"start": one, "end": other} for one, other in zip(edges[::2], edges[1::2], strict=False)]}
    offsets, data = text_buffers(pa.array([text], pa.large_string()))
    byte = [len(text[:place].encode()) for place in range(len(text) + 1)]
    pairs = [pair for pair in zip(ends[::2], ends[1::2], strict=False) if pair[0] < pair[1]]
    found = apart([Match(0, byte[start], byte[end], 0, "x") for start, end in pairs], data, offsets, marks)
    left: list[list[int]] = []
    for start, end in pairs:
        # What no mark covers, cut also where a mark without width stands.
        for place in range(start, end):
            if any(mark["start"] <= place < mark["end"] for mark in marks[0]):
                continue
            cut = place == start or any(place in (mark["start"], mark["end"]) for mark in marks[0])
            if cut or left[-1][1] != place:
                left.append([place, place])
            left[-1][1] = place + 1
    assert [(match.start, match.end) for match in found] == [(byte[start], byte[end]) for start, end in left]
