"""Words of scripts without spaces against ICU itself and against known sentences."""

from __future__ import annotations

import time

import icu4py
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icu4py.breakers import WordBreaker

from lauter.stages.kernels import segmentation
from lauter.stages.kernels.segmentation import ICU_VERSION, MAX_RUN, word_begins, words_of
from lauter.stages.kernels.words import cut_word_spans, text_buffers, word_spans
from tests.stages.kernels.cutting import cut, kind

SENTENCES = {
    "cmn": ("我喜欢学习自然语言处理", "我 喜欢 学习 自然 语言 处理"),
    "jpn": ("東京都庁舎展望室は入場無料です", "東京 都 庁舎 展望 室 は 入場 無料 です"),
    "tha": ("ภาษาไทยเป็นภาษาที่มีระดับเสียง", "ภาษา ไทย เป็น ภาษา ที่ มี ระดับ เสียง"),
    "lao": ("ພາສາລາວເປັນພາສາທາງການ", "ພາສາ ລາວ ເປັນ ພາສາ ທາງການ"),
    "khm": ("ភាសាខ្មែរជាភាសាផ្លូវការ", "ភាសាខ្មែរ ជា ភាសាផ្លូវការ"),
    "mya": ("မြန်မာဘာသာစကားသည်", "မြန်မာဘာသာ စကား သည်"),
    "bod": ("བོད་ཡིག་ནི་བོད་པའི་ཡིག", "བོད ཡིག ནི བོད པའི ཡིག"),
}

texts = st.one_of(
    st.text(
        st.one_of(
            st.sampled_from(
                "的学习中国人民東京はをにカナー年国ภาษาไทยกิ่ັ່ລາວខ្មែរမြန်မာㄅꆀꦧ𠀀𛀁ｶﾅ々ๆ a.1-\n\u200b\u0301\u200d་"
            ),
            st.characters(codec="utf-8"),
        ),
        max_size=60,
    ),
    st.sampled_from([sentence for sentence, _ in SENTENCES.values()]),
)


def begins_of(column: list[str]) -> list[list[int]]:
    offsets, data = text_buffers(pa.array(column, pa.large_string()))
    begins = word_begins(offsets, data)
    rows = [begins[offsets[row] : offsets[row + 1]].tolist() for row in range(len(column))]
    return rows if len(begins) else [[0] * len(text.encode()) for text in column]


@pytest.mark.parametrize("language", sorted(SENTENCES))
def test_known_sentences(language: str) -> None:
    sentence, words = SENTENCES[language]
    assert words_of(sentence) == words.split()


@pytest.mark.parametrize("language", sorted(SENTENCES))
def test_icu_cuts_the_sentence_in_its_language_and_in_a_text_alike(language: str) -> None:
    sentence, words = SENTENCES[language]
    for locale in ("root", language):
        found = [sentence[first:last] for first, last in WordBreaker(sentence, locale).segments()]
        # Between syllables of Tibetan ICU has the tsheg as a word; for us it separates.
        assert [word for word in found if word != "་"] == words.split()
    inside = words_of(f"Das heisst {sentence} 12 mal\n{sentence}")
    assert inside == ["Das", "heisst", *words.split(), "12", "mal", *words.split()]


@settings(deadline=None, max_examples=200)
@given(st.lists(texts, max_size=5))
def test_words_are_those_of_the_twin_in_any_batch(batch: list[str]) -> None:
    assert [words_of(text) for text in batch] == [cut(text) for text in batch]
    assert begins_of(batch) == [begins for text in batch for begins in begins_of([text])]


@settings(deadline=None, max_examples=50)
@given(st.text())
def test_without_a_dictionary_words_are_as_ever(text: str) -> None:
    plain = "".join(char for char in text if not kind(char) & 16)
    offsets, data = text_buffers(pa.array([plain], pa.large_string()))
    begins = word_begins(offsets, data)
    assert begins.shape == (0,)
    assert cut_word_spans(data, 0, len(data), begins).tolist() == word_spans(data, 0, len(data)).tolist()


def test_a_slice_of_a_column_reads_nothing_else() -> None:
    column = pa.array(["中国人民", "ภาษาไทย", "abc 学习"], pa.large_string())[1:]
    offsets, data = text_buffers(column)
    begins = word_begins(offsets, data)
    assert len(begins) == len(data)
    assert not begins[: offsets[0]].any()
    words = [
        data[first:last].tobytes().decode() for first, last in cut_word_spans(data, offsets[0], offsets[2], begins)
    ]
    assert words == ["ภาษา", "ไทย", "abc", "学习"]


@pytest.mark.parametrize("letter", ["国", "ก", "က", "ក", "ກ", "ア", "𠀀", "กิ", "中学习国人民"])
def test_a_megabyte_without_a_space_is_cut_in_bounded_time(letter: str) -> None:
    text = letter * (1_000_000 // len(letter.encode()))
    offsets, data = text_buffers(pa.array([text], pa.large_string()))
    started = time.process_time()
    begins = word_begins(offsets, data)
    assert time.process_time() - started < 10  # 0.1 s; a quadratic cut would take hours
    spans = cut_word_spans(data, 0, len(data), begins)
    assert spans[0, 0] == 0
    assert spans[-1, 1] == len(data)
    assert (spans[1:, 0] == spans[:-1, 1]).all()
    assert (spans[:, 1] - spans[:, 0]).max() <= 4 * MAX_RUN


def test_bytes_that_are_no_text_are_stepped_over() -> None:
    data = np.frombuffer(
        "学习\ud800".encode("utf-8", "surrogatepass") + b"\xe4\xb8\xff\xf0\x9f" + "学".encode(), np.uint8
    )
    offsets = np.array([0, len(data)])
    offsets.flags.writeable = False  # As Arrow's are: for one that is not the kernels would be compiled anew, 9 s.
    begins = word_begins(offsets, data)
    assert begins.nonzero()[0].tolist() == [0, len(data) - 3]


def test_another_release_of_icu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert icu4py.icu_version == ICU_VERSION
    monkeypatch.setattr(segmentation, "ICU_VERSION", "77.1")
    with pytest.raises(RuntimeError, match=r"ICU 78\.3, and words are those of ICU 77\.1"):
        words_of("学习")
