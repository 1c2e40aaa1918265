"""A manifest that names a label which the model does not have is told so before anything is read."""

from __future__ import annotations

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


def test_the_labels_of_a_file_are_not_known_before_it_is_read() -> None:
    Language.check_config(LanguageConfig(model="glotlid", languages=("zho_Hani",)))
