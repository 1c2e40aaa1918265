"""Passages and keys: what makes two passages equal, where they stand, and the kernel against plain Python."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.kernels.lines import line_spans
from lauter.stages.kernels.sentences import sentence_spans
from lauter.stages.kernels.words import DROP_PUNCTUATION, FOLD_CASE, FOLD_DIGITS, hash_words, text_buffers, word_hashes
from lauter.stages.passages.sign import LINE, PARAGRAPH, SENTENCE, sign
from tests.stages.kernels.test_hashing import fold_plainly

FLAGS = FOLD_CASE | DROP_PUNCTUATION | FOLD_DIGITS
TEXT = st.text(st.sampled_from("aB1 ,.!\n世界é。\t"), max_size=40)

Found = list[tuple[int, int, int, int]]


def signed(texts: list[str], unit: int, window: int = 1, min_words: int = 1, flags: int = FLAGS) -> Found:
    buffers = text_buffers(pa.array(texts, pa.large_string()))
    places, keys = sign(buffers.data, buffers.offsets, unit, window, min_words, flags)
    return [(*place, key) for place, key in zip(places.tolist(), keys.tolist(), strict=True)]


def units(text: str, unit: int) -> list[tuple[int, int]]:
    """Ranges of code points, from ranges of bytes."""
    data = np.frombuffer(text.encode(), np.uint8)
    if unit == SENTENCE:
        spans = sentence_spans(data, 0, len(data)).tolist()
    else:
        lines, paragraphs = line_spans(data, 0, len(data))
        numbers = (np.arange(len(lines)) if unit == LINE else paragraphs).tolist()
        spans = []
        for number in dict.fromkeys(numbers):
            own = [span for span, of in zip(lines.tolist(), numbers, strict=True) if of == number]
            spans.append([own[0][0], own[-1][1]])
    return [(len(text.encode()[:start].decode()), len(text.encode()[:end].decode())) for start, end in spans]


def plain(texts: list[str], unit: int, window: int, min_words: int) -> Found:
    found: Found = []
    for row, text in enumerate(texts):
        own = []
        for start, end in units(text, unit):
            data = np.frombuffer(text[start:end].encode(), np.uint8)
            words, numbers = hash_words(data, 0, len(data), FLAGS)
            if 2 * numbers > len(words):
                words = word_hashes(data, 0, len(data), FLAGS & ~FOLD_DIGITS)
            key = 0
            for word in words.tolist():
                key = fold_plainly(key, word)
            if len(words):
                own.append((start, end, key, len(words)))
        for first in range(len(own) - window + 1):
            some = own[first : first + window]
            key = some[0][2]
            for unit_of in some[1:]:
                key = fold_plainly(key, unit_of[2])
            if sum(item[3] for item in some) >= min_words:
                found.append((row, some[0][0], some[-1][1], key))
    return found


@given(st.lists(TEXT, max_size=4), st.sampled_from([LINE, PARAGRAPH, SENTENCE]), st.integers(1, 3), st.integers(1, 3))
def test_as_in_plain_python(texts: list[str], unit: int, window: int, min_words: int) -> None:
    assert signed(texts, unit, window, min_words) == plain(texts, unit, window, min_words)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("Read more  here!", "read More, here", True),
        ("Page 3 of it", "page 7 of it", True),
        ("12 30 45 mm", "12 30 46 mm", False),
        ("a b", "b a", False),
        ("ab c", "a bc", False),
        ("Grüße, 世界", "GRÜSSE, 世界", False),
        ("Éclair au café", "éclair AU CAFÉ", True),
    ],
    ids=["case-and-punctuation", "digits", "numbers-count", "order", "borders", "no-full-folding", "accents"],
)
def test_what_makes_no_difference(one: str, other: str, *, equal: bool) -> None:
    (first,), (second,) = signed([one], LINE), signed([other], LINE)
    assert (first[3] == second[3]) is equal


def test_places_are_code_points_and_windows_overlap() -> None:
    text = "Größe eins. 世界。 Drei hier!\n---\nVier da."
    found = signed([text], SENTENCE, window=2)
    assert [text[start:end] for _, start, end, _ in found] == [
        "Größe eins. 世界。",
        "世界。 Drei hier!",
        "Drei hier!\n---\nVier da.",
    ]


def test_a_slice_of_a_column_is_signed_as_alone() -> None:
    column = pa.array(["drop me", "the line\nand more of it", None, "the line"], pa.large_string()).slice(1)
    buffers = text_buffers(column)
    places, keys = sign(buffers.data, buffers.offsets, LINE, 1, 1, FLAGS)
    assert places.tolist() == [[0, 0, 8], [0, 9, 23], [2, 0, 8]]
    assert keys[0] == keys[2] != keys[1]
