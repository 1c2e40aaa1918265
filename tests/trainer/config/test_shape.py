"""The model's shape from the config."""

from __future__ import annotations

import pytest

from lauter.trainer.config.sections import ModelSection
from lauter.trainer.config.shape import model_shape
from lauter.trainer.model.presets import PRESETS


def test_the_presets_of_apertus_have_the_published_numbers_of_parameters() -> None:
    # arXiv 2509.14233, table 1, as counted from the released checkpoints.
    assert PRESETS["apertus-8b"].parameters == 8_053_338_176
    assert PRESETS["apertus-70b"].parameters == 70_599_864_480


def test_flop_of_the_whole_70b_run() -> None:
    # The report gives 6.74e24 for 15 T tokens.
    assert PRESETS["apertus-70b"].flop_per_token(4096) * 15e12 == pytest.approx(6.74e24, rel=0.05)


def test_the_vocabulary_follows_the_tokenizer_and_may_be_larger() -> None:
    section = ModelSection(preset="nano")
    assert model_shape(section, 4001, 512).vocabulary == 4096
    assert model_shape(section, 4096, 512).vocabulary == 4096
    assert model_shape(ModelSection(preset="nano", vocabulary=5000), 4001, 512).vocabulary == 5000


def test_a_change_keeps_the_rest_of_the_preset() -> None:
    shape = model_shape(ModelSection(preset="nano", layers=2), 100, 512)
    assert (shape.layers, shape.hidden) == (2, PRESETS["nano"].hidden)


@pytest.mark.parametrize(
    ("section", "length", "message"),
    [
        (ModelSection(preset="nano", vocabulary=99), 512, "model.vocabulary: 99 rows"),
        (ModelSection(preset="nano"), 4096, "data.sequence_length: 4096 is more than"),
        (ModelSection(preset="nano", heads=5), 512, "must be a multiple of kv_heads"),
        (ModelSection(preset="nano", head_dim=33), 512, "must be even"),
    ],
)
def test_what_does_not_fit_is_refused(section: ModelSection, length: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model_shape(section, 100, length)
