from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from lauter.trainer.config.watching import MetricsSection
from lauter.trainer.loop.sinks import check_sinks, numbers_of, open_sinks


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
        EventAccumulator,
    )

    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(one.step, one.value) for one in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_tensorboard_holds_each_step_once_also_after_a_resume(tmp_path: Path) -> None:
    section = MetricsSection(tensorboard=True)
    for step, losses in ((0, (4.0, 3.0, 2.5)), (2, (2.25, 2.0))):
        (sink,) = open_sinks(section, tmp_path, name="run", config={}, step=step)
        for number, loss in enumerate(losses, step + 1):
            sink.write(number, {"loss": loss, "held_out/loss": loss + 1})
        sink.close()
    found = scalars(tmp_path / "tensorboard")
    assert found["loss"] == [(1, 4.0), (2, 3.0), (3, 2.25), (4, 2.0)]
    assert found["held_out/loss"][-1] == (4, 3.0)


def test_tensorboard_holds_each_step_once_also_after_a_rollback(tmp_path: Path) -> None:
    (sink,) = open_sinks(MetricsSection(tensorboard=True), tmp_path, name="run", config={}, step=0)
    for step, loss in ((1, 4.0), (2, 3.0), (3, 9.0)):
        sink.write(step, {"loss": loss})
    sink.go_back(1)
    sink.write(2, {"loss": 3.5})
    sink.close()
    assert scalars(tmp_path / "tensorboard")["loss"] == [(1, 4.0), (2, 3.5)]


def test_nothing_is_opened_that_is_not_asked_for(tmp_path: Path) -> None:
    assert open_sinks(MetricsSection(), tmp_path, name="run", config={}, step=0) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(importlib.util.find_spec("wandb") is not None, reason="wandb is installed here")
def test_a_missing_package_is_named_before_anything_runs() -> None:
    check_sinks(MetricsSection(tensorboard=True))
    with pytest.raises(ValueError, match=r"metrics\.wandb_project needs .* pip install wandb"):
        check_sinks(MetricsSection(wandb_project="mine"))


def test_numbers_of_a_line_are_flat() -> None:
    line = {"step": 3, "stage": "all", "mfu": None, "held_out": {"loss": 1.5, "languages": {"deu_Latn": 2}}}
    assert numbers_of(line) == {"step": 3.0, "held_out/loss": 1.5, "held_out/languages/deu_Latn": 2.0}
