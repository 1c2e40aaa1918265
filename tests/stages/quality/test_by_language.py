from __future__ import annotations

from pathlib import Path

import pytest

from lauter.stages.quality import Quality, QualityConfig, Thresholds
from lauter.stages.quality.by_language import thresholds_for


def written(folder: Path, labels: str) -> str:
    path = folder / "languages.yaml"
    path.write_text(f"format: 1\nlabels:\n{labels}", encoding="utf-8")
    return str(path)


def test_file_then_manifest_and_only_what_they_name(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "  deu_Latn: {quality: {min_words: 30, max_newline_ratio: 0.2}, language_score: 0.8}\n"
        "  srp: {quality: {min_words: 20}}\n  srp_Cyrl: {quality: {min_words: 10}}\n",
    )
    own = {"deu": Thresholds(min_words=None)}
    config = QualityConfig(languages_file=path, languages=own, max_words=500)
    german = thresholds_for(config, "deu_Latn")
    assert (german.min_words, german.max_newline_ratio, german.max_words) == (None, 0.2, 500)
    assert thresholds_for(config, "srp_Latn").min_words == 20
    assert thresholds_for(config, "srp_Cyrl").min_words == 10
    assert thresholds_for(config, "fra_Latn") is config


@pytest.mark.parametrize("label", ["cmn_Hani", "jpn_Jpan", "tha_Thai", "iii_Yiii", "und_Khmr"])
def test_rules_set_on_spaced_text_are_off_where_there_are_no_spaces(label: str) -> None:
    config = QualityConfig(min_line_punctuation_ratio=0.1)
    found = thresholds_for(config, label)
    assert (found.min_mean_word_length, found.max_mean_word_length, found.min_line_punctuation_ratio) == (None,) * 3
    assert found.min_words == config.min_words


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            "  deu_Latn:\n    quality:\n      min_wordz: 3\n",
            r"languages\.yaml:5: deu_Latn\.quality\.min_wordz: unknown key",
        ),
        (
            "  deu_Latn:\n    quality: {min_words: few}\n",
            r"languages\.yaml:4: deu_Latn\.quality\.min_words: input should",
        ),
        (
            "  deu_Latn: {quality: {max_top_ngram_ratios: [1]}}\n",
            r"languages\.yaml:3: deu_Latn\.quality\.max_top_ngram",
        ),
    ],
)
def test_a_wrong_threshold_is_told_with_its_line_as_the_manifest_is_read(
    tmp_path: Path, labels: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Quality.check_config(QualityConfig(languages_file=written(tmp_path, labels)))


def test_a_file_that_was_changed_is_read_again(tmp_path: Path) -> None:
    for words in (30, 3):
        config = QualityConfig(languages_file=written(tmp_path, f"  deu_Latn: {{quality: {{min_words: {words}}}}}\n"))
        assert thresholds_for(config, "deu_Latn").min_words == words
