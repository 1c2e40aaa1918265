r"""Counts of source files against a plain reading of their definitions, with Python's `re` for encoded data."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lauter.stages.kernels import code as counted
from lauter.stages.kernels.characters import DIGIT, LETTER, expand_classes
from lauter.stages.kernels.code import measure_code
from lauter.stages.kernels.words import text_buffers

CLASSES = expand_classes()
ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4}){8,}")
ONE = r"(?:(?:0|\\)[xX])?[0-9a-fA-F]{2}(?![0-9A-Za-z_])"
BYTE = re.compile(r"((?:0|\\)[xX])?[0-9a-fA-F]{2}(?![0-9A-Za-z_])")
BASE64 = re.compile(r"(?:[A-Za-z0-9+/=]{40,}\n)*[A-Za-z0-9+/=]*")


def bytes_stretch(text: str, at: int) -> int:
    count, stop, position = 0, at, at
    while found := BYTE.match(text, position):
        if count and position == stop and not found[1]:
            break
        count, stop = count + 1, found.end()
        position = re.compile(r"[, \t\n]*").match(text, stop).end()  # type: ignore[union-attr]
    return stop if count >= 8 else at


def base64_stretch(text: str, at: int) -> int:
    found = BASE64.match(text, at)
    whole = found[0].rstrip("\n") if found else ""
    return at + len(whole) if len(whole.replace("\n", "")) >= 64 else at


def encoded(text: str) -> list[int]:
    sizes, at = [], 0
    while at < len(text):
        stop = at
        if found := ESCAPES.match(text, at):
            stop = found.end()
        elif text[at] in "0123456789abcdefABCDEF\\":
            stop = bytes_stretch(text, at)
        if stop == at:
            stop = base64_stretch(text, at)
        if stop > at:
            sizes.append(stop - at)
            at = stop
        elif found := re.compile("[A-Za-z0-9+/=]+").match(text, at):
            at = found.end()
        else:
            at += 1
    return sizes


def twin(text: str) -> list[int]:
    lines = text.split("\n")
    lines = lines[:-1] if lines[-1] == "" else lines
    kinds = [int(CLASSES[ord(c)]) for c in text]
    sizes = encoded(text)
    return [
        len(text), len(lines), max(map(len, lines), default=0), sum(map(len, lines)),
        sum(kind & LETTER != 0 for kind in kinds), sum(kind & DIGIT != 0 for kind in kinds),
        sum(sizes), max(sizes, default=0),
    ]  # fmt: skip


pieces = st.one_of(
    st.sampled_from(["\\u00e9" * 9, "\\u00e9" * 7, "0xFF, " * 9, "\\x1f" * 9, "de ad be ef " * 3, "12,34,\n" * 5]),
    st.sampled_from(["QUJD" * 17, ("QUJD" * 11 + "\n") * 3, ("QUJD" * 3 + "\n") * 9, "x", "\n", " ", "é", "漢", "٣"]),
    st.text(st.characters(codec="utf-8"), max_size=6),
    st.text(st.sampled_from("0aFx\\u, \n="), max_size=30),
)


@example(["0xFF, " * 9 + "000"])
@settings(deadline=None, max_examples=150)
@given(st.lists(st.lists(pieces, max_size=8).map("".join), min_size=1, max_size=3))
def test_counts_are_those_of_the_twin(batch: list[str]) -> None:
    offsets, data = text_buffers(pa.array(["skipped", *batch], pa.large_string())[1:])
    assert measure_code(offsets, data).tolist() == [twin(text) for text in batch]


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("a = '" + "QUJD" * 20 + "'", 80),
        ("word\n" * 500, 0),
        ("\n".join(["QUJD" * 16] * 4), 4 * 64 + 3),
        ("int a[] = {" + "0x1f, " * 10 + "};", 58),
        ("x = 12 + 34 + 56 + 78 + 90 + 12 + 34 + 56", 0),
        ("s = '" + "\\u4e2d" * 10 + "'", 60),
        ("deadbeef" * 4, 0),
    ],
)
def test_encoded_data(text: str, length: int) -> None:
    offsets, data = text_buffers(pa.array([text], pa.large_string()))
    assert measure_code(offsets, data)[0, counted.LONGEST_ENCODED] == length


def test_hostile_text_takes_linear_time() -> None:
    text = "QUJD" * 9 + "\n"
    offsets, data = text_buffers(pa.array([("0x1f," * 7 + "z ") * 50_000 + text * 50_000], pa.large_string()))
    counts = measure_code(offsets, data)
    assert np.array_equal(counts[:, counted.ENCODED], [0])
