"""The tone of texts: the kernel against a plain-Python twin, the stand-in, and what negators reach."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.kernels.words import text_buffers
from lauter.stages.toxicity import tone
from lauter.stages.toxicity.tone import MEASURES, build_table, read_lists, tone_of

CODES = ("de", "en", "zh")
TABLE = build_table(CODES)
PIECES = st.lists(
    st.sampled_from(["women", "Muslime", "hate", "great", "hating", "not", "nicht", "verächtlich", "ekelhaft", "女人",
                     "讨厌", "不", "我", "x", "Frauenfeind", "“", '"', ".", "'", "é", "42", "🙂", "\n"]),
    max_size=12,
)  # fmt: skip


def take(texts: list[str], codes: list[str]) -> list[tuple[str, dict[str, int]]]:
    offsets, data = text_buffers(pa.array(texts, pa.large_string()))
    found = tone_of(TABLE, data, offsets, np.array([CODES.index(code) for code in codes]))
    masked = [found.masked[start:end].tobytes().decode() for start, end in pairwise(found.bounds.tolist())]
    counts = [dict(zip(MEASURES, row, strict=True)) for row in found.counts.tolist()]
    return list(zip(masked, counts, strict=True))


def twin(text: str, code: str) -> tuple[str, dict[str, int]]:
    """The same in plain Python, word by word."""
    lists = {key[1:]: value for key, value in read_lists().items() if key[0] == code}
    stem, root = int(tone.STEM), int(tone._ROOT)
    counts, masked, since, at = dict.fromkeys(MEASURES, 0), "", 9, 0
    while at < len(text):
        han = "\u4e00" <= text[at] <= "\u9fff"
        end = at + 1
        value = 0
        if han:
            while end - at <= 8 and end <= len(text) and all("\u4e00" <= c <= "\u9fff" for c in text[at:end]):
                end += 1
            ends = [stop for stop in range(at + 1, end) if (text[at:stop], 0) in lists]
            end = ends[-1] if ends else at + 1
            value = lists.get((text[at:end], 0), 0)
        elif text[at].isalnum():
            while end < len(text) and text[end].isalnum() and not "\u4e00" <= text[end] <= "\u9fff":
                end += 1
            word = text[at:end].lower()
            value = lists.get((word, 0), 0) | next(
                (lists[word[:n], stem] for n in range(2, len(word) + 1) if (word[:n], stem) in lists), 0
            )
            if not value:
                roots = [word[: len(word) - cut] for cut in range(4) if len(word) - cut >= 5]
                value = next((lists[part, root] for part in roots if (part, root) in lists), 0)
        else:
            counts["quotes"] += text[at] in '"“'
            masked += text[at]
            at += 1
            continue
        counts["words"] += 1
        since += 1
        masked += "qqq" if value & 32 else text[at:end]
        if value & 32:
            counts["groups"] += 1
        elif value & 15:
            valence = (value & 15) - 8
            kind = ("negated_" if since <= 3 else "") + ("blame" if valence < 0 else "praise")
            counts[kind] += abs(valence)
        if value & 16:
            counts["negators"] += 1
            since = 0
        at = end
    return masked, counts


@given(st.lists(st.tuples(PIECES, st.sampled_from(CODES), st.sampled_from(["", " "])), min_size=1, max_size=4))
@settings(deadline=None, max_examples=80)
def test_the_kernel_is_its_twin(parts: list[tuple[list[str], str, str]]) -> None:
    texts, codes = [between.join(pieces) for pieces, _, between in parts], [code for _, code, _ in parts]
    assert take(texts, codes) == [twin(text, code) for text, code in zip(texts, codes, strict=True)]


def test_words_for_groups_become_one_and_a_negator_turns_three_words() -> None:
    ((masked, counts),) = take(["Women do not love or hate Muslims, who are great."], ["en"])
    assert masked == "qqq do not love or hate qqq, who are great."
    assert (counts["groups"], counts["negators"], counts["negated_praise"]) == (2, 1, 3)
    assert (counts["blame"], counts["negated_blame"], counts["praise"]) == (0, 3, 3)


def test_a_form_that_no_list_has_is_known_by_its_beginning() -> None:
    ((_, known), (_, unknown)) = take(["disgustin", "disk"], ["en", "en"])
    assert known["blame"] > 0
    assert unknown["blame"] == 0


def test_no_word_is_shorter_than_what_stands_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tone, "list_lines", lambda name: iter([["en", "ok"]] if name == "groups" else []))
    with pytest.raises(ValueError, match="ok is shorter"):
        read_lists.__wrapped__()


def test_words_of_a_language_are_not_those_of_another() -> None:
    ((german, _), (english, _)) = take(["Frauen", "Frauen"], ["de", "en"])
    assert (german, english) == ("qqq", "Frauen")
