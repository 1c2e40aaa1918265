from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.languages_file import LanguageEntry, LanguagesFile, languages_text, read

HEAD = "format: 1\nlabels:\n"
words = st.one_of(
    st.sampled_from(
        ["no", "on", "1", "0x1", "~", "null", "d'", "- a", "{", "a: b", "#", "'ej", "的", "།", '"', "\u200b"]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1),
).filter(lambda word: word.split() == [word])
entries = st.builds(
    LanguageEntry,
    documents=st.none() | st.integers(0, 10**9),
    language_score=st.none() | st.floats(0, 1),
    quality=st.dictionaries(
        st.sampled_from(["min_words", "max_newline_ratio"]), st.none() | st.floats(0, 9), max_size=2
    ),
    stop_words=st.none() | st.lists(words, min_size=1, max_size=4).map(tuple),
)


@given(st.dictionaries(st.from_regex(r"\A[a-z]{3}(_[A-Z][a-z]{3})?\Z"), entries, max_size=4))
def test_what_is_written_is_read_back(given_entries: dict[str, LanguageEntry]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "languages.yaml")
        path.write_text(languages_text(given_entries, "made by\na test"), encoding="utf-8", newline="")
        assert dict(read(str(path))) == given_entries


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.yaml:1: no languages file: expected `format: 1` and `labels:`"),
        ("- a", "x.yaml:1: no languages file"),
        ("labels: {}", "x.yaml:1: `format: 1` is missing"),
        ("format: 2\nlabels: {}", "x.yaml:1: `format: 1` is missing"),
        ("format: 1", "x.yaml:1: `labels:` with an entry for each language is missing"),
        ("format: 1\nlabel: {}", "x.yaml:2: label: unknown key; did you mean 'labels'?"),
        (HEAD + "  deu_Latn: {}\n  de: {}", "x.yaml:4: de: no label"),
        (HEAD + "  deu_Latn: {}\n  no: {}", "x.yaml:4: no: no label"),
        (HEAD + "  deu_Latn: 3", "x.yaml:3: deu_Latn: expected a mapping"),
        (HEAD + "  deu_Latn: {}\n  deu_Latn: {}", "x.yaml:4: deu_Latn: stands twice in labels"),
        (
            HEAD + "  deu_Latn:\n    language_score: .5\n    language_score: .6",
            "x.yaml:5: language_score: stands twice",
        ),
        (HEAD + "  deu_Latn:\n    language_score: 1.5", "x.yaml:4: deu_Latn.language_score: input should be less than"),
        (
            HEAD + "  deu_Latn:\n    language_score: high",
            "x.yaml:4: deu_Latn.language_score: input should be a valid num",
        ),
        (HEAD + "  deu_Latn:\n    language_score: .nan", "x.yaml:4: deu_Latn.language_score: input should be a finite"),
        (
            HEAD + "  deu_Latn:\n    stopwords: [a]",
            "x.yaml:4: deu_Latn.stopwords: unknown key; did you mean 'stop_words'",
        ),
        (HEAD + "  nob_Latn:\n    stop_words: [no]", "x.yaml:4: nob_Latn.stop_words: False is no word to YAML"),
        (HEAD + "  nob_Latn:\n    stop_words: [a b]", "x.yaml:4: nob_Latn.stop_words: 'a b' is not one word"),
        (HEAD + "  nob_Latn:\n    stop_words: []", "x.yaml:4: nob_Latn.stop_words: tuple should have at least 1 item"),
        ("format: 1\nlabels: [", "x.yaml:3: no valid YAML"),
        ("\t{", "x.yaml:1: no valid YAML"),
        ("format: 1\nmodel: [a]\nlabels: {}", "x.yaml:2: model: expected the name of a language model"),
        ("format: true\nlabels: {}", "x.yaml:1: `format: 1` is missing"),
        ("\0", "x.yaml: no valid YAML: unacceptable character #x0000"),
        (HEAD + "  nob_Latn:\n    stop_words: [2001-99-99]", "x.yaml:4: nob_Latn: a value in it cannot be read: month"),
    ],
)
def test_a_wrong_file_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError) as error:
        LanguagesFile(str(path))
    assert message.lower() in str(error.value).lower()


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"format: 1\nlabels: {} # \xff")
    with pytest.raises(ValueError, match=r"x\.yaml: not UTF-8 at byte 23"):
        read(str(path))
