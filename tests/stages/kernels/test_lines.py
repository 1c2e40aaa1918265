from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.kernels import lines
from lauter.stages.kernels.characters import TERMINAL, WHITE_SPACE, expand_classes

CLASSES = expand_classes()
SPACES = "".join(chr(code) for code in np.flatnonzero(CLASSES & WHITE_SPACE))
unhurried = settings(deadline=None)  # the first call compiles

texts = st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from("\n\n\n \t\r\u3000\u2028ab.…。-•!")))


def twin_lines(text: str) -> list[tuple[str, int]]:
    """Each line and its paragraph, by the definition."""
    found = []
    paragraph, blank = -1, True
    for line in text.split("\n"):
        bare = line.strip(SPACES)
        if bare:
            paragraph += blank
            found.append((bare, paragraph))
        blank = not bare
    return found


@unhurried
@given(texts)
def test_lines_are_those_of_the_twin(text: str) -> None:
    data = np.frombuffer(("x\n" + text + "\ny").encode(), np.uint8)
    spans, paragraphs = lines.line_spans(data, 2, len(data) - 2)
    found = [bytes(data[start:stop]).decode() for start, stop in spans]
    assert list(zip(found, paragraphs.tolist(), strict=True)) == twin_lines(text)


@unhurried
@given(texts.filter(lambda text: text.strip(SPACES) != ""))
def test_ends_of_lines_are_those_of_the_twin(text: str) -> None:
    line = text.strip(SPACES)
    data = np.frombuffer(("." + line + "..").encode(), np.uint8)
    end = len(data) - 2
    assert lines.starts_with_bullet(data, 1, end) == (line[0] in "-*·•‣◦▪●")
    assert lines.ends_with_ellipsis(data, 1, end) == line.endswith(("...", "…"))
    assert lines.ends_with_terminal(data, 1, end) == bool(CLASSES[ord(line[-1])] & TERMINAL)
    assert lines.characters(data, 1, end) == len(line)


@unhurried
@given(st.binary(max_size=30))
def test_bytes_that_are_no_text_are_read_within_bounds(text: bytes) -> None:
    data = np.frombuffer(text, np.uint8)
    spans, _ = lines.line_spans(data, 0, len(data))
    assert ((spans[:, 0] < spans[:, 1]) & (spans[:, 1] <= len(data))).all()
    for start, stop in spans:
        assert lines.previous(data, start, stop) >= start


@pytest.mark.parametrize(
    ("line", "ends"),
    [
        ("Yes.", True),
        ("是。", True),
        ("क्या?", True),
        ("हाँ।", True),
        ("نعم؟", True),
        ("“Yes.”", False),
        ("Yes,", False),
        ("Yes", False),
    ],
)
def test_sentence_ends_of_many_scripts(line: str, ends: bool) -> None:  # noqa: FBT001
    data = np.frombuffer(line.encode(), np.uint8)
    assert lines.ends_with_terminal(data, 0, len(data)) == ends


@unhurried
@given(st.binary(max_size=20))
def test_span_hash_is_fnv_1a_and_the_finisher(text: bytes) -> None:
    mask = 2**64 - 1
    state = 0xCBF29CE484222325
    for byte in text:
        state = (state ^ byte) * 0x100000001B3 & mask
    state = (state ^ state >> 33) * 0xFF51AFD7ED558CCD & mask
    state = (state ^ state >> 33) * 0xC4CEB9FE1A85EC53 & mask
    assert lines.span_hash(np.frombuffer(text, np.uint8), 0, len(text)) == state ^ state >> 33
