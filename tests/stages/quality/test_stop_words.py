from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from lauter.pipeline.contract import StageContext
from lauter.stages.languages_file import LanguageEntry, languages_text
from lauter.stages.quality import Quality, QualityConfig
from lauter.stages.quality.stop_words import load_stop_words
from tests.stages.quality.reference import DATA

UNSURE = {
    "fra_Latn": "the test set counts regional languages as French",
    "ell_Grek": "a part of the test set is polytonic",
}


def stop_word_counts(texts: list[str], labels: Sequence[str | None]) -> list[int | None]:
    stage = Quality(QualityConfig(), StageContext())
    stage.open()
    batch = pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string()), "language": pa.array(labels)})
    return list(stage.apply(batch).columns["stop_words"].to_pylist())


def test_ordinary_text_of_every_listed_language_has_two_stop_words() -> None:
    """Samples of about 60 words of the Universal Declaration of Human Rights, at most a seventh with fewer than two."""
    path = DATA / "language" / "test-udhr.tsv.zst"
    if not path.exists():
        pytest.skip("language/test-udhr.tsv.zst is not under LAUTER_TEST_DATA")
    listed = load_stop_words().spans
    samples: dict[str, list[str]] = defaultdict(lambda: [""])
    with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as stream:
        for row in stream.read().decode().splitlines():
            label, _, text = row.split("\t")
            if label in listed:
                samples[label][-1] += text + "\n"
                if len(samples[label][-1]) > 400:
                    samples[label].append("")
    rows = [(label, text) for label, texts in samples.items() for text in texts[:-1]]
    found = stop_word_counts([text for _, text in rows], [label for label, _ in rows])
    enough: dict[str, list[bool]] = defaultdict(list)
    for (label, _), count in zip(rows, found, strict=True):
        assert count is not None
        enough[label].append(count >= 2)
    assert len(enough) > 60
    poor = {label: sum(passed) / len(passed) for label, passed in enough.items() if sum(passed) * 7 < len(passed) * 6}
    assert poor.keys() <= UNSURE.keys(), poor


def test_a_language_without_a_list_or_in_another_script_has_no_score() -> None:
    labels = ["eng_Latn", "eng", "eng_Cyrl", None, "jav_Java"]
    assert stop_word_counts(["the cat of the house"] * 5, labels) == [2, None, None, None, None]


def test_stop_words_match_whole_without_case_and_punctuation() -> None:
    texts = ["The, OF. «and»", "theory often hand", "these", ""]
    assert stop_word_counts(texts, ["eng_Latn"] * 4) == [3, 0, 0, 0]


def test_a_list_with_too_many_words_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "words.yaml"
    path.write_text(languages_text({"deu_Latn": entry(f"w{n}" for n in range(65))}, ""), encoding="utf-8")
    with pytest.raises(ValueError, match=r"words\.yaml: deu_Latn: 65 stop words, at most 64"):
        load_stop_words(str(path))


def entry(words: Iterable[str]) -> LanguageEntry:
    return LanguageEntry(stop_words=tuple(words))


def test_own_lists_replace_the_built_in_ones(tmp_path: Path) -> None:
    path = tmp_path / "words.yaml"
    lists = {"tlh_Latn": entry(["je", "'ej"]), "srp": entry(["и", "i"]), "tha_Thai": entry(["ภาษา", "ที่"])}
    path.write_text(languages_text(lists, ""), encoding="utf-8")
    stage = Quality(QualityConfig(stop_words=str(path)), StageContext())
    stage.open()
    texts = ["'ej je", "the of", "i je", "И то", "ภาษาไทยเป็นภาษาที่มี"]
    labels = ["tlh_Latn", "eng_Latn", "srp_Latn", "srp_Cyrl", "tha_Thai"]
    batch = pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string()), "language": pa.array(labels)})
    assert stage.apply(batch).columns["stop_words"].to_pylist() == [2, None, 1, 1, 2]
