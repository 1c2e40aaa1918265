from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path

import pyarrow as pa
import pytest

from lauter.pipeline.contract import StageContext
from lauter.stages.languages_file import LanguageEntry, languages_text
from lauter.stages.quality import Quality, QualityConfig
from lauter.stages.quality.by_language import UNSPACED_SCRIPTS
from lauter.stages.quality.stop_words import load_stop_words
from lauter.stages.thresholds.checking import FEWEST_SAMPLES
from tests.stages.quality.reference import DATA

UNSURE = {"oss_Cyrl", "uig_Arab", "mhr_Cyrl"}
"""Chosen by the least number of samples of one set, where this test finds fewer or counts digits as words."""
SETS = ("test-udhr.tsv.zst", "test-indomain.tsv.zst")


def stop_word_counts(texts: list[str], labels: Sequence[str | None]) -> list[int | None]:
    stage = Quality(QualityConfig(), StageContext())
    stage.open()
    batch = pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string()), "language": pa.array(labels)})
    return list(stage.apply(batch).columns["stop_words"].to_pylist())


def test_ordinary_text_of_every_listed_language_has_two_stop_words() -> None:
    """Samples of about 60 words, in one of two sets at most a quarter with fewer than two.

    One set alone may be wrong: that of human rights counts regional languages as French and has polytonic Greek.
    """
    listed = load_stop_words().spans
    shares: dict[str, list[float]] = defaultdict(list)
    for name in SETS:
        path = DATA / "language" / name
        if not path.exists():
            pytest.skip(f"language/{name} is not under LAUTER_TEST_DATA")
        samples: dict[str, list[str]] = defaultdict(lambda: [""])
        with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as stream:
            for row in stream.read().decode().splitlines():
                label, *_, text = row.split("\t")
                if label in listed:
                    samples[label][-1] += text + "\n"
                    # 60 words, or 400 letters where no spaces count them.
                    size = len(samples[label][-1]) // 7 if label[4:] in UNSPACED_SCRIPTS else 0
                    if max(size, samples[label][-1].count(" ")) >= 60:
                        samples[label].append("")
        rows = [(label, text) for label, texts in samples.items() for text in texts[:-1] if len(texts) > FEWEST_SAMPLES]
        found = stop_word_counts([text for _, text in rows], [label for label, _ in rows])
        enough: dict[str, list[bool]] = defaultdict(list)
        for (label, _), count in zip(rows, found, strict=True):
            assert count is not None
            enough[label].append(count >= 2)
        for label, passed in enough.items():
            shares[label].append(sum(passed) / len(passed))
    assert len(shares) > 300
    poor = {label: found for label, found in shares.items() if max(found) < 0.75}
    assert poor.keys() <= UNSURE, poor


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


def test_a_list_that_was_changed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "words.yaml"
    for words in (["der"], ["der", "die"]):
        path.write_text(languages_text({"deu_Latn": entry(words)}, ""), encoding="utf-8")
        assert load_stop_words(str(path)).spans == {"deu_Latn": (0, len(words))}


def test_every_input_of_the_lists_has_its_terms_beside_them() -> None:
    folder = files("lauter.stages.quality")
    head = folder.joinpath("stop_words.yaml").read_text("utf-8").splitlines()[0]
    notice = folder.joinpath("NOTICE").read_text("utf-8")
    sources = re.findall(r"--(?:source|fallback) (\w+)", head)
    assert len(sources) == 4
    for source in sources:
        assert re.search(rf"^{source}: ", notice, re.MULTILINE), source
    assert f"{len(load_stop_words().spans)} labels" in notice
