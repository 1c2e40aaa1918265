"""Kinds of words: the kernel against a plain-Python twin, spellings that hide a word, and the lists."""

from __future__ import annotations

from itertools import groupby, pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.kernels.words import text_buffers
from lauter.stages.toxicity import kinds
from lauter.stages.toxicity.kinds import KINDS, build_kind_table, kinds_of, read_kinds
from lauter.stages.toxicity.tone import STEM

CODES = ("ar", "de", "en", "zh")
PIECES = st.lists(
    st.sampled_from(["women", "Muslime", "hate", "killed", "k1ll", "h4t3d", "42", "not", "verächtlich", "Drecksjude",
                     "unbeschreiblich", "therapist", "女人", "讨厌", "我们", "人", "والنساء", "يكره", "x", "k",
                     "i", "l", "“", ".", "'", "é", "🙂", "\n"]),
    max_size=12,
)  # fmt: skip


def take(texts: list[str], codes: list[str]) -> list[list[int]]:
    offsets, data = text_buffers(pa.array(texts, pa.large_string()))
    found = kinds_of(build_kind_table(CODES), data, offsets, np.array([CODES.index(code) for code in codes]))
    return [found.kinds[start:end].tolist() for start, end in pairwise(found.bounds.tolist())]


def names(bits: int) -> set[str]:
    return {name for place, name in enumerate(KINDS) if bits >> place & 1}


def is_han(letter: str) -> bool:
    return "\u4e00" <= letter <= "\u9fff"


def twin_word(word: str, lists: dict[tuple[str, int], int]) -> int:
    """The kinds of one word, all rules in their order."""

    def plain(part: str) -> int:
        found = lists.get((part, 0), 0)
        for end in range(2, len(part) + 1):
            found |= lists.get((part[:end], int(STEM)), 0)
        return found

    if plain(word):
        return plain(word)
    if "\u0600" <= word[0] <= "\u06ff":
        return next((plain(word[n:]) for n in range(1, min(3, len(word) - 3) + 1) if plain(word[n:])), 0)
    if any(c in "0123456789" for c in word) and any(c not in "0123456789" for c in word):
        word = word.translate(str.maketrans("013457", "oieast"))
        if plain(word):
            return plain(word)
    found = 0
    if len(word) >= 9:
        for start in range(2, len(word) - 3):
            found |= lists.get((word[start:], 0), 0)
            for end in range(start + 4, len(word) + 1):
                found |= lists.get((word[start:end], int(STEM)), 0)
    return found


def twin(text: str, code: str) -> list[int]:
    """The same in plain Python, word by word."""
    lists = {(word, salt): value for (language, word, salt), value in read_kinds().items() if language == code}
    units: list[tuple[str, int]] = []
    at = 0
    while at < len(text):
        end = at + 1
        if is_han(text[at]):
            ends = [stop for stop in range(at + 1, min(at + 8, len(text)) + 1)
                    if all(map(is_han, text[at:stop])) and (text[at:stop], 0) in lists]  # fmt: skip
            end = ends[-1] if ends else end
            units.append(("", lists.get((text[at:end], 0), 0)))
        elif text[at].isalnum():
            while end < len(text) and text[end].isalnum() and not is_han(text[end]):
                end += 1
            word = text[at:end].lower()[: kinds._LETTERS]
            units.append((word if len(word) == 1 else "", twin_word(word, lists)))
        elif not text[at].isspace():
            units.append(("", 0))
        at = end
    out: list[int] = []
    for alone, run in groupby(units, key=lambda unit: unit[0] != ""):
        own = list(run)
        joined = alone and len(own) >= 3
        out += [twin_word("".join(word for word, _ in own), lists)] if joined else [value for _, value in own]
    return out


@given(st.lists(st.tuples(PIECES, st.sampled_from(CODES), st.sampled_from(["", " "])), min_size=1, max_size=4))
@settings(deadline=None, max_examples=80)
def test_the_kernel_is_its_twin(parts: list[tuple[list[str], str, str]]) -> None:
    texts, codes = [between.join(pieces) for pieces, _, between in parts], [code for _, code, _ in parts]
    assert take(texts, codes) == [twin(text, code) for text, code in zip(texts, codes, strict=True)]


@pytest.mark.parametrize(
    ("text", "code", "kind"),
    [("hated", "en", "hate"), ("h4te", "en", "hate"), ("h a t e", "en", "hate"),
     ("Wirtschaftsflüchtlinge", "de", "group"), ("والمسلمين", "ar", "group"), ("讨厌", "zh", "hate"),
     ("nobody", "en", "negator")],
)  # fmt: skip
def test_a_word_is_known_in_its_forms(text: str, code: str, kind: str) -> None:
    assert kind in names(take([text], [code])[0][0])


def test_a_word_that_holds_a_short_one_by_chance_is_not_it() -> None:
    assert take(["skill therapist"], ["en"]) == [[0, take(["therapist"], ["en"])[0][0]]]
    assert "hurt" not in names(take(["therapist"], ["en"])[0][0])


def test_each_language_has_words_of_each_kind() -> None:
    found = {(language, name) for (language, _, _), bits in read_kinds().items() for name in names(bits)}
    languages = {language for language, _ in found}
    assert languages == {"ar", "de", "en", "es", "fr", "hi", "it", "nl", "pl", "pt", "zh"}
    assert found == {(language, name) for language in languages for name in KINDS}


def test_a_kind_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "KINDS", KINDS[1:])
    with pytest.raises(ValueError, match=r"kinds\.txt: say is none of"):
        read_kinds.__wrapped__()
