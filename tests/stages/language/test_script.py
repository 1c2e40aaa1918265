"""The script of a text: the table against other copies of Unicode, the kernel against plain Python."""

from __future__ import annotations

import unicodedata
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lauter.stages.kernels.characters import DIGIT, PUNCTUATION, character_class
from lauter.stages.language.script import UNDETERMINED, claims, count_scripts, keep_script, letters_of, scripts


def count(texts: list[str]) -> tuple[list[dict[str, int]], list[int]]:
    counts, visible = count_scripts(*encoded(texts))
    codes = scripts().codes
    return [{codes[i]: int(row[i]) for i in np.nonzero(row)[0]} for row in counts], visible.tolist()


def encoded(texts: list[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    each = [text.encode() for text in texts]
    return np.frombuffer(b"".join(each), np.uint8), np.cumsum([0, *map(len, each)]).astype(np.int64)


def count_plainly(text: str) -> dict[str, int]:
    codes, of = scripts()[:2]
    worth = {"Hani": 3, "Hang": 3, "Hira": 2, "Kana": 2, "Ethi": 2}
    found: Counter[str] = Counter()
    for char in text:
        if of[ord(char)]:
            found[codes[of[ord(char)]]] += worth.get(codes[of[ord(char)]], 1)
    kana = found["Hira"] + found["Kana"]
    if kana and kana * 10 >= kana + found["Hani"]:
        found["Jpan"] = kana + found["Hani"]
        found["Hira"] = found["Kana"] = found["Hani"] = 0
    return {code: number for code, number in found.items() if number}


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.text() | st.text(st.sampled_from("漢字かなカナ한ሀabц5.")), max_size=8))
def test_kernel_equals_plain_python(texts: list[str]) -> None:
    counts, visible = count(texts)
    assert counts == [count_plainly(text) for text in texts]
    # Letters by the table of scripts, which is of a newer Unicode than that of classes.
    assert visible == [
        sum(bool(scripts().of[ord(char)] or character_class(ord(char)) & (DIGIT | PUNCTUATION)) for char in text)
        for text in texts
    ]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=6))
def test_bytes_that_are_no_utf8_are_never_read_past(texts: list[bytes]) -> None:
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    after = np.concatenate([np.frombuffer(b"".join(texts), np.uint8), np.frombuffer("ü東".encode(), np.uint8)])
    counts, _ = count_scripts(after, offsets)
    plain = [text.decode(errors="replace") for text in texts]
    assert (counts.sum(axis=1) <= [3 * len(text) for text in plain]).all()


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Größe 123 456 789!", "Latn"),
        ("Привет, world", "Cyrl"),
        ("日本語のテキストです", "Jpan"),
        ("カタカナ", "Jpan"),
        ("中文文本", "Hani"),
        ("他在東京買了一本叫做の的書然後回家去了沒有再出來過", "Hani"),
        ("한국어 텍스트 漢字", "Hang"),
        ("العربية", "Arab"),
        ("हिन्दी में", "Deva"),
        ("ⵜⴰⵎⴰⵣⵉⵖⵜ", "Tfng"),
        ("𞤀𞤣𞤤𞤢𞤥", "Adlm"),
    ],
)
def test_dominant_script(text: str, script: str) -> None:
    (counts,), _ = count([text])
    assert max(counts, key=lambda code: counts[code]) == script


@pytest.mark.parametrize(
    ("text", "script", "letters"),
    [("東京都庁", "Jpan", 12), ("東京の都庁", "Jpan", 14), ("東京の都庁", "Hani", 0), ("大韓民國 헌법 law", "Hang", 18),
     ("大韓民國 헌법", "Kore", 18), ("헌법", "Jpan", 0), ("law", "Latn", 3), ("law", "Zzzz", 0), ("东京", "Hans", 6)],
)  # fmt: skip
def test_letters_that_can_stand_in_a_writing_system(text: str, script: str, letters: int) -> None:
    counts, _ = count_scripts(*encoded([text]))
    assert letters_of(script, counts).tolist() == [letters]


def test_what_is_seen_of_a_text_has_no_marks_and_no_spaces() -> None:
    assert count(["12 + 3 — ☃ \n", "हिन्दी", " \u00a0\u200b\t", "", "Größe 5."])[1] == [6, 3, 0, 0, 7]


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Нажмите Ctrl", "Cyrl"),
        ("ДаNein", "Cyrl"),
        ("ДаEntweder", "Latn"),
        ("abc", "Latn"),
        ("ა ბ გ Δ", "Geor"),
        ("12", UNDETERMINED),
    ],
)
def test_a_text_with_a_third_of_its_letters_in_another_script_than_latin_is_in_that(text: str, script: str) -> None:
    counts, _ = count_scripts(*encoded([text]))
    assert scripts().codes[int(claims(counts)[0].argmax())] == script


def test_a_chinese_text_with_english_names_is_chinese() -> None:
    (counts,), _ = count(["加载 Microsoft Excel 文档中的 Visual Basic 代码"])
    assert counts["Hani"] < counts["Latn"]
    (counts,), _ = count(["加载 Microsoft Excel 文档中的 Basic 代码"])
    assert counts["Hani"] > counts["Latn"]


@pytest.mark.parametrize(
    ("text", "script", "left"),
    [("Привет, world 5!", "Cyrl", "Привет,       5!"), ("हिन्दी and so", "Latn", "                   and so"),
     ("東京のカメラ Sony", "Jpan", "東京のカメラ     "), ("東京の日本語", "Hani", "東京の日本語"),
     ("헌법 憲法 law", "Hang", "헌법 憲法    "), ("é\u0301ц\u0301 1\u0301", "Latn", "é\u0301     1\u0301")],
)  # fmt: skip
def test_letters_of_other_scripts_are_blanked_with_their_marks(text: str, script: str, left: str) -> None:
    read_only, bounds = encoded([text])
    data, offsets = read_only.copy(), bounds.copy()
    codes, of, _, together = scripts()
    keep_script(data, offsets, together[[codes.index(script)]], of)
    assert data.tobytes().decode() == left


def test_a_text_without_letters_has_no_script() -> None:
    assert count(["12 + 3 — ☃ \n", ""])[0] == [{}, {}]
    assert scripts().codes[0] == UNDETERMINED


def test_the_table_agrees_with_the_names_of_characters() -> None:
    codes, of = scripts()[:2]
    names = {
        "Latn": "LATIN", "Grek": "GREEK", "Cyrl": "CYRILLIC", "Armn": "ARMENIAN", "Hebr": "HEBREW", "Arab": "ARABIC",
        "Syrc": "SYRIAC", "Thaa": "THAANA", "Deva": "DEVANAGARI", "Beng": "BENGALI", "Guru": "GURMUKHI",
        "Gujr": "GUJARATI", "Orya": "ORIYA", "Taml": "TAMIL", "Telu": "TELUGU", "Knda": "KANNADA", "Mlym": "MALAYALAM",
        "Sinh": "SINHALA", "Thai": "THAI", "Laoo": "LAO", "Tibt": "TIBETAN", "Mymr": "MYANMAR", "Geor": "GEORGIAN",
        "Hang": "HANGUL", "Ethi": "ETHIOPIC", "Cher": "CHEROKEE", "Cans": "CANADIAN", "Khmr": "KHMER",
        "Hira": "HIRAGANA", "Kana": "KATAKANA", "Hani": "CJK", "Nkoo": "NKO", "Java": "JAVANESE",
        "Tfng": "TIFINAGH",
    }  # fmt: skip
    by_name = {name: code for code, name in names.items()}
    checked = 0
    for point in map(int, np.nonzero(of)[0]):
        script = by_name.get(unicodedata.name(chr(point), "").partition(" ")[0])
        if script is not None:
            assert codes[of[point]] == script, chr(point)
            checked += 1
    assert checked > 100_000


@pytest.mark.slow
def test_the_table_agrees_with_another_implementation_of_unicode() -> None:
    regex = pytest.importorskip("regex", reason="the regex package, an independent copy of Unicode, is not installed")
    codes, of = scripts()[:2]
    text = "".join(chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000)
    compared = 0
    for index, code in enumerate(codes):
        if code in (UNDETERMINED, "Jpan"):
            continue
        # Unicode 17 and 18 brought scripts and letters that older copies do not know.
        try:
            pattern = regex.compile(rf"[\p{{Script={code}}}&&\p{{L}}]", regex.V1)
        except regex.error:
            continue
        theirs = {ord(char) for char in pattern.findall(text)}
        ours = {int(point) for point in np.nonzero(of == index)[0]}
        if not theirs:
            continue
        assert theirs <= ours, code
        assert all(unicodedata.category(chr(point)) == "Cn" for point in ours - theirs), code
        compared += len(theirs)
    assert compared > 100_000
