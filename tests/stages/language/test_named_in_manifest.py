"""A manifest that names a label which the model does not have is told so before anything is read."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from lauter.stages.language import Language, LanguageConfig


@pytest.mark.parametrize("model", ["embedded", "lid.176"])
def test_labels_that_the_model_has_pass(model: str) -> None:
    Language.check_config(
        LanguageConfig(model=model, languages=("deu_Latn", "cmn_Hani", "und_Cher"), thresholds={"fra_Latn": 0.5})
    )


@pytest.mark.parametrize("model", ["embedded", "lid.176"])
def test_others_are_an_error_that_says_what_was_meant(model: str) -> None:
    for config in (
        LanguageConfig(model=model, languages=("deu_Latn", "zho_Hani")),
        LanguageConfig(model=model, thresholds={"zho_Hani": 0.5}),
    ):
        with pytest.raises(ValueError, match="has no label zho_Hani; it calls it cmn_Hani"):
            Language.check_config(config)


def test_the_labels_of_a_file_are_those_that_it_has() -> None:
    path = str(files("lauter.stages.language").joinpath("models/lid.176.ftz"))
    Language.check_config(LanguageConfig(model=path, languages=("deu_Latn", "und_Cher")))
    with pytest.raises(ValueError, match=r"lid\.176\.ftz has no label zho_Hani; it calls it cmn_Hani"):
        Language.check_config(LanguageConfig(model=path, languages=("zho_Hani",)))


def test_a_file_that_is_no_model_is_told_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"no model" * 9)
    with pytest.raises(ValueError, match="no fastText model"):
        Language.check_config(LanguageConfig(model=str(tmp_path / "model.bin"), languages=("deu_Latn",)))


def test_the_labels_of_a_model_that_is_not_here_are_not_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    Language.check_config(LanguageConfig(model="glotlid", languages=("zho_Hani",)))
