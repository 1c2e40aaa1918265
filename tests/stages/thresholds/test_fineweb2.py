from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from lauter.stages.language.cli import app
from lauter.stages.languages_file import read
from lauter.stages.quality import QualityConfig
from lauter.stages.quality.by_language import thresholds_for, thresholds_of
from lauter.stages.quality.stop_words import load_stop_words

CONFIG: dict[str, Any] = {
    "dup_line_frac": 0.263,
    "dup_n_grams": [[5, 0.141], [6, 0.134], [7, 0.126], [8, 0.117], [9, 0.108], [10, 0.098]],
    "language_score": 0.821,
    "line_punct_thr": 0.0,
    "max_avg_word_length": 15,
    "max_non_alpha_words_ratio": 0.774,
    "min_avg_word_length": 0,
    "new_line_ratio": 0.152,
    "stopwords": ["der", "und", "für", "·", "\u200b", "l'"],
    "top_n_grams": [[2, 0.169], [3, 0.153], [4, 0.137]],
}
SHIPPED = Path(__file__).parents[3] / "manifests" / "languages"


def imported(folder: Path, config: object) -> Result:
    (folder / "configs").mkdir()
    (folder / "configs" / "deu_Latn.yml").write_text(json.dumps(config), encoding="utf-8")
    command = ["import-fineweb2", str(folder / "configs"), "--out", str(folder / "fw2.yaml"), "--json"]
    return CliRunner().invoke(app, command)


def test_a_config_becomes_thresholds_and_stop_words(tmp_path: Path) -> None:
    result = imported(tmp_path, CONFIG)
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["labels_with_stop_words"] == 1
    assert read(str(tmp_path / "fw2.yaml"))["deu_Latn"].language_score == 0.821
    found = thresholds_for(QualityConfig(languages_file=str(tmp_path / "fw2.yaml")), "deu_Latn")
    assert found.max_duplicate_line_ratio == 0.263
    assert found.max_top_ngram_ratios == (0.169, 0.153, 0.137)
    assert found.max_duplicate_ngram_ratios == (0.141, 0.134, 0.126, 0.117, 0.108, 0.098)
    assert (found.min_mean_word_length, found.max_mean_word_length) == (0, 15)
    assert (found.min_alphabetic_word_ratio, found.max_newline_ratio) == (0.774, 0.152)
    assert found.min_line_punctuation_ratio is None
    assert read(str(tmp_path / "fw2-words.yaml"))["deu_Latn"].stop_words == ("der", "und", "für", "l")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ([], "expected a mapping"),
        ({"language_score": 0.5}, "missing or unknown"),
        ({**CONFIG, "language_score": "high"}, "language_score: 'high' is no number"),
        ({**CONFIG, "language_score": 2}, "language_score"),
        ({**CONFIG, "top_n_grams": [[2, 0.1], [4, 0.1], [3, 0.1]]}, "top_n_grams: expected pairs of an order"),
        ({**CONFIG, "more": 1}, "more missing or unknown"),
    ],
)
def test_what_is_no_config_is_told_by_its_file(tmp_path: Path, config: object, message: str) -> None:
    result = imported(tmp_path, config)
    assert result.exit_code == 2
    told = " ".join(result.output.split())
    assert "deu_Latn.yml" in told
    assert message in told


def test_the_shipped_files_are_read_by_the_stages() -> None:
    limits = thresholds_of(str(SHIPPED / "fineweb2.yaml"))
    words = load_stop_words(str(SHIPPED / "fineweb2-words.yaml"))
    assert len(limits) == len(words.spans) == 1929
    assert limits["deu_Latn"].max_duplicate_line_ratio == 0.263
    assert all(stop - start >= 2 for start, stop in words.spans.values())
