"""Configs of `lauter tune`: what they become, what they refuse, and those that come with Lauter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lauter.pipeline.yaml_lines import ManifestError
from lauter.trainer.config.load import load_tune
from lauter.trainer.config.sections import ModelSection, RunSection
from lauter.trainer.config.shape import model_shape
from lauter.trainer.config.tune import TuneSection, model_of
from lauter.trainer.model.presets import PRESETS
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.schedule.learning_rate import learning_rate

FOLDER = Path(__file__).parents[3] / "manifests" / "tune"
MODEL = ModelSection(preset="nano")


def tune(**sections: Any) -> TuneSection:  # noqa: ANN401 - any section
    content = {"name": "x", "schedule": {"epochs": 2}, "data": {"sequence_length": 16}, "batch": {"sequences": 4}}
    return TuneSection.model_validate({**content, **sections})


def run(samples: int, **sections: Any) -> RunSection:  # noqa: ANN401 - any section
    return tune(**sections).run("sft", MODEL, samples)


def test_epochs_become_whole_steps_and_shares_become_tokens() -> None:
    found = run(101)  # 202 samples, of which 200 fill 50 steps.
    schedule = found.schedule
    assert (schedule.total_tokens, schedule.warmup_tokens) == (50 * 64, 2 * 64)
    assert schedule.cooldown_tokens == 48 * 64
    assert (schedule.shape, schedule.final_fraction) == ("linear", 0.0)
    assert (found.optimizer.warmup_steps, found.objective, found.model) == (50, "sft", MODEL)
    # As transformers' linear schedule with warm-up: 0, then up over two steps, then down to 0 behind the last.
    rates = [learning_rate(schedule, 1.0, step * 64) for step in range(51)]
    assert rates == pytest.approx([0, 0.5, *(1 - step / 48 for step in range(49))])


def test_shares_are_rounded_as_decimals() -> None:
    # As floats 0.07 x 100 is above 7, and 0.29 x 100 below 29.
    found = run(400, schedule={"epochs": 1, "warmup_fraction": 0.07, "moments_fraction": 0.07})
    assert (found.schedule.total_tokens, found.schedule.warmup_tokens) == (100 * 64, 7 * 64)
    assert found.optimizer.warmup_steps == 7
    assert run(100, schedule={"epochs": 0.29}, batch={"sequences": 1}).schedule.total_tokens == 29 * 16


def test_what_is_said_in_steps_or_tokens_holds() -> None:
    found = run(101, schedule={"total_tokens": 1000, "cooldown_fraction": 0.5}, optimizer={"warmup_steps": 7})
    assert found.schedule.total_tokens == 1000  # 16 steps, the last of which goes beyond it.
    assert (found.schedule.warmup_tokens, found.schedule.cooldown_tokens) == (64, 512)
    assert found.optimizer.warmup_steps == 7


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"schedule": {}}, "give `epochs` or `total_tokens`"),
        ({"schedule": {"epochs": 1, "total_tokens": 5}}, "give `epochs` or `total_tokens`"),
        ({"schedule": {"epochs": 1, "warmup_fraction": 0.6, "cooldown_fraction": 0.6}}, "are together more than 1"),
        ({"batch": {"ramp": [{"from_tokens": 1, "sequences": 2}]}}, "batch.ramp"),
        ({"lora": {"targets": ["lm_head"]}}, "Input should be 'q_proj'"),
    ],
)
def test_what_makes_no_sense_is_refused(sections: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        tune(**sections)


def test_less_than_one_step_is_refused() -> None:
    with pytest.raises(ValueError, match=r"2 epoch\(s\) of 1 sample\(s\) are less than one step"):
        run(1)


def test_low_rank_parts_need_weights_that_are_there() -> None:
    with pytest.raises(ValueError, match="only `lauter tune` trains low-rank parts"):
        RunSection.model_validate({**run(9).model_dump(), "lora": {}, "objective": "pretrain"}, strict=False)


def test_a_fault_is_told_with_its_line_or_override(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump({"name": "x", "schedule": {"epoch": 1}, "data": {"corpora": [{"path": "c"}]}}))
    with pytest.raises(ManifestError, match="did you mean 'epochs'"):
        load_tune(str(path))
    found = load_tune(str(path), ["schedule={epochs: 3}", "lora={}"])
    assert (found.schedule.epochs, found.lora is not None) == (3, True)
    assert found.data.corpora[0].path == str(tmp_path / "c")
    with pytest.raises(ManifestError, match=r"override 'lora.rank=0'"):
        load_tune(str(path), ["schedule={epochs: 3}", "lora.rank=0"])


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_model_that_is_there_can_be_named(preset: str) -> None:
    shape = PRESETS[preset]
    assert model_shape(model_of(shape), shape.vocabulary, 16) == shape


def test_a_model_that_no_config_names_is_refused() -> None:
    with pytest.raises(ValueError, match="name `model` in the config"):
        model_of(ModelShape(1, 8, 8, 1, 1, 8, 128, 16, norm_eps=1e-6))


@pytest.mark.parametrize("name", ["sft-8b", "sft-70b"])
def test_apertus_has_its_published_numbers(name: str) -> None:
    section = load_tune(str(FOLDER / f"{name}.yaml"))
    small = name == "sft-8b"
    assert section.optimizer.learning_rate == (5e-6 if small else 2e-6)
    assert section.batch.sequences == (512 if small else 1024)
    optimizer = section.optimizer
    assert (optimizer.beta3, optimizer.alpha, optimizer.weight_decay, optimizer.clip) == (0.99, 8, 0, 1)
    found = section.run("sft", ModelSection(preset="apertus-8b"), 512 * 1000)
    steps = 1000 if small else 500
    assert found.schedule.total_tokens == steps * section.batch.sequences * 4096
    assert found.optimizer.warmup_steps == steps
    assert learning_rate(found.schedule, 1.0, found.schedule.total_tokens) == 0
