"""Sentences: the rule in many scripts, and the kernel against the same rule in plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.kernels.characters import TERMINAL, UNSPACED, WHITE_SPACE, expand_classes
from lauter.stages.kernels.sentences import sentence_spans

CLASSES = expand_classes()
CLOSING = "\"')]}»’”›〉》」』】〕〗）］｝｣"
WIDE = "。．！？｡"
TEXT = st.text(
    st.one_of(st.sampled_from("ab.!?。！ \n\t\u3000'”)(」「世界ကเ।؟…"), st.characters(codec="utf-8")), max_size=40
)


def sentences(text: str) -> list[str]:
    data = np.frombuffer(text.encode(), np.uint8)
    return [data[start:end].tobytes().decode() for start, end in sentence_spans(data, 0, len(data)).tolist()]


def is_a(character: str, kind: int) -> bool:
    return bool(CLASSES[ord(character)] & kind)


def plain_sentences(text: str) -> list[str]:
    """The rule once more, over characters."""
    found, start, place = [], 0, 0
    while place < len(text):
        first = place
        while place < len(text) and is_a(text[place], TERMINAL):
            place += 1
        if place == first:
            place += 1
            ends = text[first] == "\n"
        else:
            wide = text[place - 1] in WIDE
            while place < len(text) and text[place] in CLOSING:
                place += 1
            ends = wide or place == len(text) or is_a(text[place], WHITE_SPACE | UNSPACED)
        if ends or place == len(text):
            found.append(text[start:place])
            start = place
    white = "".join(chr(code) for code in np.flatnonzero(CLASSES & WHITE_SPACE))
    return [sentence for each in found if (sentence := each.strip(white))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two!  Three?", ["One.", "Two!", "Three?"]),
        ("It costs 3.14 at example.org, e.g., here.", ["It costs 3.14 at example.org, e.g., here."]),
        ("He said: “No.” Then (really?) left.", ["He said: “No.”", "Then (really?)", "left."]),
        ("A heading\nand a text... It goes on", ["A heading", "and a text...", "It goes on"]),
        ("你好。世界！「好。」他说", ["你好。", "世界！", "「好。」", "他说"]),
        ("यह एक है। यह दो।", ["यह एक है।", "यह दो।"]),
        ("هل هذا؟ نعم.", ["هل هذا؟", "نعم."]),
        ("  \n \t ", []),
        ("", []),
    ],
    ids=["latin", "no-space", "closing", "lines", "han", "devanagari", "arabic", "blank", "empty"],
)
def test_sentences_of_scripts(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected == plain_sentences(text)


@given(TEXT)
def test_as_in_plain_python(text: str) -> None:
    assert sentences(text) == plain_sentences(text)


@given(TEXT, TEXT)
def test_a_part_of_a_buffer_is_cut_as_alone(before: str, text: str) -> None:
    head = before.encode()
    data = np.frombuffer(head + text.encode() + b".x", np.uint8)
    spans = sentence_spans(data, len(head), len(data) - 2)
    assert [data[start:end].tobytes().decode() for start, end in spans.tolist()] == sentences(text)
