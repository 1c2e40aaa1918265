from __future__ import annotations

import time
import unicodedata
from itertools import chain

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lauter.pipeline.contract import MapStage, StageContext, Verdict
from lauter.stages import normalise as rules
from lauter.stages.normalise import COMPOSE, LAYOUT, Normalise, NormaliseConfig, character_flags, normalise, suspects

STAGE = Normalise(NormaliseConfig(), StageContext())
TRICKY = st.sampled_from(
    "\n\r\t \v\f\0a\u0301\u0327e\x85\x9f\xa0\xad\u1100\u1161\u11a8\u0e01\u0e48\u1780\u1820\u0915\u093c\u09c7\u09be"
    "\u200b\u200c\u200d\u200e\u202e\u202f\u2028\u2029\u2000\u2066\u2126\u3000\ufeff\ufffd\ufdd0\uffff\u1025\u102e"
    "\U0001f3f4\U000e0067\U000e0062\U000e007f\U000e0001\U0001f600\u0344\u212b"
)
TEXT = st.text(st.one_of(TRICKY, st.characters(exclude_categories=["Cs"])), max_size=30)


def apply(*texts: str | None) -> Verdict:
    return STAGE.apply(pa.record_batch({"text": pa.array(texts, pa.large_string())}))


def plain_suspect(text: str) -> int:
    """The kernel once more, over characters."""
    flags = character_flags()
    found = 0
    for character in text:
        if character not in "\n\t":
            found |= int(flags[ord(character)])
    lines = text.split("\n")
    untidy = any(line.endswith((" ", "\t", "\u3000")) for line in lines) or "\n\n\n" in text
    return found | (LAYOUT if untidy or text.startswith("\n") or text.endswith("\n") else 0)


def every_rule_in_turn(text: str) -> str:
    """The composition of all rules, whether or not there is anything for them to do."""
    text = rules._LINE_END.sub("\n", text).replace("\u2029", "\n\n")
    text = rules._REMOVED.sub("", text)
    text = rules._TAGS.sub(lambda match: match[1] or "", text)
    text = rules._SPACE.sub(" ", text.replace("\xa0", " "))
    text = rules._ZERO_WIDTH.sub(lambda match: "\u200b" if match[1] else "", text)
    text = unicodedata.normalize("NFC", text)
    text = "\n".join([line.rstrip(" \t\u3000") for line in text.split("\n")])
    return rules._BLANK_LINES.sub("\n\n\n", text).strip("\n")


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("a\r\nb\rc\vd\fe\x85f\u2028g\u2029h", "a\nb\nc\nd\ne\nf\ng\n\nh"),
        ("\n\n a \t\n \t \n\n\nb\u3000\n", " a\n\n\nb"),
        ("import a\n\n\ndef f():\n\n    if x:\n\treturn  1  # b", None),
        ("nul\0 bell\7 del\x7f c1\x9b", "nul bell del c1"),
        ("\ufeffmark wo\u00adrd joi\u2060ner \ufdd0\ufffe\U0010ffff", "mark word joiner"),
        ("a\u00a0b\u2003c\u202fd\u205fe", "a b c d e"),
        ("\u3000全角\u3000空白\u3000", "\u3000全角\u3000空白"),
        ("\u202eevil\u202c \u2066isolated\u2069", "evil isolated"),
        ("שלום\u200f! می\u200cخواهم क्\u200dष", "שלום\u200f! می\u200cخواهم क्\u200dष"),
        ("👩\u200d💻 ❤\ufe0f", "👩\u200d💻 ❤\ufe0f"),
        ("🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", None),
        ("hid\U000e0068\U000e0069den 🏴\U000e0067", "hidden 🏴"),
        ("ภาษา\u200bไทย word\u200bbreak ខ្មែរ\u200b\u200bខ្មែរ", "ภาษา\u200bไทย wordbreak ខ្មែរ\u200bខ្មែរ"),
        ("ᠮᠣᠩᠭᠣᠯ\u202fᠤᠨ a\u202fb", "ᠮᠣᠩᠭᠣᠯ\u202fᠤᠨ a b"),
        ("cafe\u0301 \u1112\u1161\u11ab \u2126 \u0958", "café 한 Ω \u0915\u093c"),
        ("e\u200b\u0301", "é"),
        ("tab\tinside  two spaces", None),
        ("damage \ufffd private \ue000", None),
    ],
)
def test_rules(text: str, normal: str | None) -> None:
    assert normalise(text) == (text if normal is None else normal)
    assert apply(text).columns["text"].to_pylist() == [text if normal is None else normal]


@settings(max_examples=400)
@given(TEXT)
@example("e\u200b\u0301")
@example("\u202f\u200b\u1820")
@example("\u0e01\u200b\u00ad\u200b\u0e01")
@example("\U0001f3f4\U000e0001\U000e0067\U000e007f")
def test_idempotent_and_composed(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert not any(unicodedata.category(character) == "Cc" and character not in "\n\t" for character in once)


def test_every_character_alone_is_judged_rightly() -> None:
    # The vectorised check may look twice at a clean character, never pass by one that changes.
    flags = character_flags()
    ideographs = (range(0x3400, 0xA000), range(0xAC00, 0xE000), range(0x20000, 0x2F800))
    planes = (range(0x3400), range(0xA000, 0xAC00), range(0xE000, 0x20000), range(0x2F800, 0x30000))
    sampled = [*chain(*planes), *range(0xE0000, 0xE1000), *(code | 0xFFFF for code in range(0, 0x110000, 0x10000))]
    for code in [*sampled, *chain(*(block[::97] for block in ideographs))]:
        if 0xD800 <= code < 0xE000:
            continue
        if not flags[code]:
            text = f"a{chr(code)}b"
            assert code in (9, 10, 13, 32) or normalise(text) == text, hex(code)


@settings(max_examples=400, deadline=None)
@given(st.lists(TEXT, max_size=6))
def test_kernel_equals_twin_and_misses_nothing(texts: list[str]) -> None:
    found = suspects(pa.array(texts, pa.large_string()))
    assert found.tolist() == [plain_suspect(text) for text in texts]
    for text, flag in zip(texts, found, strict=True):
        changes = normalise(text) != text
        assert flag or not changes
        assert flag != COMPOSE or changes == (not unicodedata.is_normalized("NFC", text))


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=8), st.data())
def test_stage_equals_function_however_the_batch_is_cut(texts: list[str], data: st.DataObject) -> None:
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    start = data.draw(st.integers(0, len(texts) - 1))
    verdict = STAGE.apply(batch.slice(start))
    expected = [normalise(text) for text in texts[start:]]
    assert verdict.columns["text"].to_pylist() == expected
    assert verdict.columns["chars"].to_pylist() == [len(text) for text in expected]
    assert verdict.reason.tolist() == [int(not text) for text in expected]
    verdict.columns["text"].validate(full=True)


@settings(max_examples=400, deadline=None)
@given(TEXT)
@example("e\u200b\u0301 \u2000\n")
@example("a \u00ad\nb")
def test_rules_that_do_not_fire_change_nothing(text: str) -> None:
    (found,) = suspects(pa.array([text], pa.large_string())).tolist()
    assert normalise(text, found) == normalise(text) == every_rule_in_turn(text)


def test_empty_text_is_never_silent() -> None:
    verdict = apply("\ufeff\0 \n", "", None, "a")
    assert [Normalise.reasons[code - 1].name if code else "" for code in verdict.reason] == [
        "empty-after-normalise",
        "empty-after-normalise",
        "empty-after-normalise",
        "",
    ]


def test_clean_column_is_not_copied() -> None:
    texts = ["Plain.\n\nText", "Grüße, 世界", "नमस्ते दुनिया", "ภาษาไทย"]
    column = pa.array(texts, pa.large_string())
    verdict = STAGE.apply(pa.record_batch({"text": column}))
    assert verdict.columns["text"].buffers()[2].address == column.buffers()[2].address


def test_is_a_map_stage() -> None:
    checked: MapStage = STAGE
    checked.open()
    verdict = checked.apply(pa.record_batch({"text": pa.array([], pa.large_string())}))
    assert verdict.reason.dtype == np.uint8
    for schema in (Normalise.documents, Normalise.scores):
        for field in schema:
            assert verdict.columns[field.name].type == field.type


@pytest.mark.soak
@pytest.mark.parametrize(
    "text", [" " * 1_000_000 + "x", "\u200b" * 1_000_000, "\n " * 500_000, "\U0001f3f4\U000e0067" * 300_000]
)
def test_time_is_linear(text: str) -> None:
    # A pattern that backtracks would need minutes for these.
    start = time.process_time()
    normalise(text)
    assert time.process_time() - start < 5
