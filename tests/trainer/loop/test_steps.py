"""What a run saves and writes down around bad steps, signals and validation."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lauter.trainer.checkpoint.read import open_checkpoint
from lauter.trainer.loop.errors import RunFailed
from lauter.trainer.loop.run import train
from tests.trainer.loop.language import quiet, section, told, write_language

SANE = {"learning_rate": 1e-2, "warmup_steps": 0, "clip": None}
BLOWN_UP = {**SANE, "learning_rate": 1e30}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_language(tmp_path_factory.mktemp("language") / "corpus")


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def saved(out: Path) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in (out / "checkpoints").glob("step-*"))


class Watched(StringIO):
    """A terminal at which someone sends a signal once he reads what he waits for."""

    def __init__(self, until: Callable[[str], bool], number: signal.Signals) -> None:
        super().__init__()
        self._until, self._number = until, number
        self._sent = False

    def write(self, text: str) -> int:
        if not self._sent and self._until(text):
            self._sent = True
            os.kill(os.getpid(), self._number)
        return super().write(text)


@pytest.mark.parametrize("good", [4, 5])
def test_a_blow_up_leaves_the_checkpoint_before_it_and_a_sane_rate_goes_on(
    corpus: Path, tmp_path: Path, good: int
) -> None:
    """After 5 good steps, the one that blows up is itself one after which a save is due."""
    keep = {"every_steps": 2, "keep": 1, "asynchronous": False}
    train(section(corpus, good, optimizer=SANE, checkpoint=keep), tmp_path, start=None, console=quiet())
    console = quiet()
    with pytest.raises(RunFailed):
        train(section(corpus, 30, optimizer=BLOWN_UP, checkpoint=keep), tmp_path, start=None, console=console)
    assert f"went back to step {good}" in told(console)
    assert saved(tmp_path) == [good]
    outcome = train(section(corpus, 9, optimizer=SANE, checkpoint=keep), tmp_path, start=None, console=quiet())
    assert outcome.step == 9
    assert outcome.loss is not None
    assert outcome.loss < lines(tmp_path)[0]["loss"]


def test_what_a_signal_saves_in_a_bad_stretch_is_no_place_to_go_back_to(corpus: Path, tmp_path: Path) -> None:
    keep = {"every_steps": 2, "keep": 1, "asynchronous": False}
    train(section(corpus, 4, optimizer=SANE, checkpoint=keep), tmp_path, start=None, console=quiet())
    blown_up = section(corpus, 9, optimizer=BLOWN_UP, checkpoint=keep)
    console = Console(file=Watched(lambda text: "left out" in text, signal.SIGTERM), width=200)
    stopped = train(blown_up, tmp_path, start=None, console=console)
    assert stopped.stopped_by == "SIGTERM"
    assert "is saved in a bad stretch" in told(console)
    assert saved(tmp_path) == [4, stopped.step]
    assert not open_checkpoint(tmp_path).meta["sound"]
    console = quiet()
    outcome = train(section(corpus, 12, optimizer=SANE, checkpoint=keep), tmp_path, start=None, console=console)
    assert "went back to step 4" in told(console)
    assert outcome.stopped_by is None
    # What was saved in the stretch went with the next checkpoints.
    assert saved(tmp_path) == [outcome.step]
    assert open_checkpoint(tmp_path).meta["sound"]


def test_lines_with_a_held_out_loss_or_a_verdict_are_written_in_any_case(tmp_path: Path) -> None:
    # Windows 161 to 176, of steps 21 and 22, are noise.
    corpus = write_language(tmp_path / "noisy", noisy=range(83, 91))
    run = section(
        corpus,
        26,
        guard={"spike_factor": 1.6, "window": 8, "skips": 5},
        metrics={"every_steps": 10, "peak_flops": 1e12},
        validation={"every_steps": 4, "sequences": 2},
        data={"hold_out_shards": 1},
    )
    train(run, tmp_path / "run", start=None, console=quiet())
    found = lines(tmp_path / "run")
    skipped = [line["step"] for line in found if line["verdict"] == "skip"]
    assert skipped
    assert [line["step"] for line in found if "held_out" in line] == [4, 8, 12, 16, 20, 24, 26]
    assert [line["step"] for line in found] == sorted({4, 8, 12, 16, 20, 24, 10, 26, *skipped})


def test_sums_and_epochs_over_a_run_with_a_rollback_and_a_branch(tmp_path: Path) -> None:
    corpus = write_language(tmp_path / "noisy", noisy=range(83, 91))
    run = section(
        corpus,
        28,
        guard={"spike_factor": 1.6, "window": 8, "skips": 1, "rollbacks": 1},
        checkpoint={"every_steps": 4, "asynchronous": False},
        data={"goldfish": {"k": 4, "h": 3}},
    )
    console = quiet()
    outcome = train(run, tmp_path / "run", start=None, console=console)
    # Step 21 is bad, so nothing showed that the weights after step 20 are sound.
    assert "went back to step 16" in told(console)
    assert "stream main: 0.482 epochs by the end" in told(console)
    found = lines(tmp_path / "run")
    assert {line["verdict"] for line in found} == {"update"}
    counts = open_checkpoint(tmp_path / "run").meta["counts"]
    assert counts["targets"] == sum(line["targets"] for line in found)
    assert counts["skipped_samples"] == outcome.samples - 8 * len(found) > 0
    share = counts["goldfish_dropped"] / (counts["targets"] + counts["goldfish_dropped"])
    assert 0.15 < share < 0.35
    # 240 documents of 62 tokens.
    assert found[-1]["epochs"] == {"main": pytest.approx(outcome.samples * 32 / (240 * 62))}
    assert 0 <= found[-1]["data_seconds"] <= found[-1]["seconds"]
    assert found[-1]["memory"] > 50e6
    longer = run.model_copy(update={"schedule": run.schedule.model_copy(update={"total_tokens": 30 * 256})})
    train(longer, tmp_path / "branch", start=tmp_path / "run", console=quiet())
    branch = open_checkpoint(tmp_path / "branch").meta["counts"]
    assert branch["targets"] == counts["targets"] + sum(line["targets"] for line in lines(tmp_path / "branch"))
    assert branch["skipped_samples"] == counts["skipped_samples"]


def test_a_signal_in_the_last_step_stops_nothing(corpus: Path, tmp_path: Path) -> None:
    console = Console(file=Watched(lambda text: "step 1 " in text, signal.SIGTERM), width=200)
    outcome = train(section(corpus, 2), tmp_path, start=None, console=console)
    assert (outcome.step, outcome.stopped_by) == (2, None)
    assert outcome.unigram_entropy is not None
    assert "stopped" not in told(console)
