"""Whole runs of a small model: they go on to the bit, leave on signals, go back from spikes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import Tensor

from lauter.trainer.checkpoint.dcp_read import SavedTensors
from lauter.trainer.checkpoint.read import Checkpoint, open_checkpoint
from lauter.trainer.config.sections import RunSection
from lauter.trainer.loop.errors import RunFailed
from lauter.trainer.loop.report import Outcome
from lauter.trainer.loop.run import train
from tests.trainer.loop.language import quiet, section, told, write_language

TIMES = ("seconds", "tokens_per_second", "mfu", "memory", "data_seconds", "save", "saved")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_language(tmp_path_factory.mktemp("language") / "corpus")


def go(run: RunSection, out: Path, start: Path | None = None) -> Outcome:
    return train(run, out, start=start, console=quiet())


def lines_of(out: Path) -> list[str]:
    return (out / "metrics.jsonl").read_text().splitlines()


def lines(out: Path) -> list[dict[str, Any]]:
    """Of metrics.jsonl, without what a clock says."""
    found = [json.loads(line) for line in lines_of(out)]
    return [{key: value for key, value in line.items() if key not in TIMES} for line in found]


def contents(checkpoint: Checkpoint) -> dict[str, Tensor]:
    saved = SavedTensors(checkpoint.path)
    found = {name: torch.empty(entry.size, dtype=entry.properties.dtype) for name, entry in saved.index.items()}
    saved.fill(found)
    return found


def assert_equal_runs(one: Path, other: Path) -> None:
    """To the bit: every weight, every moment, all counts, every line of the metrics."""
    first, second = open_checkpoint(one), open_checkpoint(other)
    tensors, others = contents(first), contents(second)
    assert tensors.keys() == others.keys()
    assert {name.partition(".")[0] for name in tensors} == {"weight", "fast", "slow", "second"}
    for name, tensor in tensors.items():
        assert torch.equal(tensor, others[name]), name
    differing = {key for key in first.meta if first.meta[key] != second.meta[key]} - {"config"}
    assert not differing
    assert lines(one) == lines(other)


def broken_off(whole: Path, out: Path, step: int) -> Path:
    """A run's folder as a machine leaves it that dies when later steps are logged, and not yet saved."""
    shutil.copytree(whole, out)
    for folder in (out / "checkpoints").glob("step-*"):
        if int(folder.name.removeprefix("step-")) > step:
            shutil.rmtree(folder)
    latest = out / "checkpoints" / "LATEST"
    latest.write_text(re.sub(r"\d{10}", f"{step:010d}", latest.read_text()))
    with (out / "metrics.jsonl").open("a") as file:
        file.write('{"step": 99, "lo')
    return out


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_in_two_parts_is_the_run_in_one(
    corpus: Path, tmp_path: Path, precision: str, *, asynchronous: bool
) -> None:
    run = section(
        corpus,
        10,
        precision=precision,
        checkpoint={"every_steps": 5, "asynchronous": asynchronous},
        data={"goldfish": {"k": 4, "h": 3}},
        schedule={"total_tokens": 10 * 256 + 512, "warmup_tokens": 512, "cooldown_tokens": 1024},
        batch={"sequences": 8, "micro": 4, "ramp": [{"from_tokens": 8 * 256, "sequences": 16}]},
        guard={"spike_factor": 50.0, "window": 8},
    )
    go(run, tmp_path / "whole")
    out = broken_off(tmp_path / "whole", tmp_path / "parts", 5)
    assert len(lines_of(out)) == 11
    go(run, out)
    assert [line["step"] for line in lines(out)] == list(range(1, 11))
    assert [line["sequences"] for line in lines(out)] == [8] * 8 + [16] * 2
    assert_equal_runs(tmp_path / "whole", out)


def test_bf16_weights_and_masters_are_saved_as_masters(corpus: Path, tmp_path: Path) -> None:
    go(section(corpus, 2, precision="bf16"), tmp_path)
    found = contents(open_checkpoint(tmp_path))
    assert {tensor.dtype for tensor in found.values()} == {torch.float32}
    matrix = found["weight.lm_head.weight"]
    assert not torch.equal(matrix, matrix.bfloat16().float())


def test_a_complete_run_is_left_as_it_is(corpus: Path, tmp_path: Path) -> None:
    run = section(corpus, 5)
    first = go(run, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "checkpoints").rglob("*") if path.is_file()}
    second = go(run, tmp_path)
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "checkpoints").rglob("*") if path.is_file()}
    assert (second.step, second.loss, second.unigram_entropy) == (first.step, first.loss, first.unigram_entropy)
    assert second.tokens_per_second is None


def test_a_longer_schedule_goes_on(corpus: Path, tmp_path: Path) -> None:
    go(section(corpus, 5), tmp_path)
    outcome = go(section(corpus, 8, batch={"sequences": 8, "micro": 2}), tmp_path)
    assert outcome.step == 8
    assert [line["step"] for line in lines(tmp_path)] == list(range(1, 9))


class Interrupted(StringIO):
    """A terminal at which someone sends a signal when the first step is shown."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__()
        self._number: signal.Signals | None = number

    def write(self, text: str) -> int:
        if "loss" in text and self._number is not None:
            number, self._number = self._number, None
            os.kill(os.getpid(), number)
        return super().write(text)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_after_the_step_and_the_run_goes_on(
    corpus: Path, tmp_path: Path, number: signal.Signals
) -> None:
    run = section(corpus, 6, checkpoint={"every_steps": 100, "asynchronous": True})
    console = Console(file=Interrupted(number), width=200)
    outcome = train(run, tmp_path / "parts", start=None, console=console)
    assert outcome.stopped_by == number.name
    assert outcome.step == 2
    assert outcome.unigram_entropy is None
    assert f"stopped by {number.name}; the same command goes on from here" in told(console)
    assert open_checkpoint(outcome.checkpoint).meta["progress"]["step"] == 2
    go(run, tmp_path / "parts")
    go(run, tmp_path / "whole")
    assert_equal_runs(tmp_path / "whole", tmp_path / "parts")


def test_a_run_whose_loss_is_not_finite_goes_back_and_gives_up(corpus: Path, tmp_path: Path) -> None:
    run = section(
        corpus,
        20,
        optimizer={"learning_rate": 1e38, "warmup_steps": 0, "clip": None},
        guard={"skips": 1, "rollbacks": 1},
        checkpoint={"every_steps": 1, "asynchronous": False},
    )
    console = quiet()
    with pytest.raises(RunFailed, match=r"after 1 steps left out in a row and 1 return\(s\) to a checkpoint"):
        train(run, tmp_path, start=None, console=console)
    assert "passes over the samples of the bad stretch" in told(console)
    for line in (tmp_path / "metrics.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=lambda constant: pytest.fail(constant))


def test_before_the_first_checkpoint_it_goes_back_to_the_start(corpus: Path, tmp_path: Path) -> None:
    run = section(
        corpus,
        20,
        optimizer={"learning_rate": 1e38, "warmup_steps": 0, "clip": None},
        guard={"skips": 0, "rollbacks": 2},
        checkpoint={"every_steps": 100, "asynchronous": False},
    )
    console = quiet()
    with pytest.raises(RunFailed):
        train(run, tmp_path, start=None, console=console)
    assert told(console).count("went back to step 0") == 2


def test_a_stretch_of_noise_is_passed_over_after_a_rollback(tmp_path: Path) -> None:
    # The order of an epoch is the stored one: windows 161 to 176, of steps 21 and 22, are noise.
    noisy = range(83, 91)
    corpus = write_language(tmp_path / "noisy", noisy=noisy)
    steps = 28
    run = section(
        corpus,
        steps,
        guard={"spike_factor": 1.6, "window": 8, "skips": 1, "rollbacks": 1},
        checkpoint={"every_steps": 4, "asynchronous": False},
        schedule={"total_tokens": steps * 8 * 32, "warmup_tokens": 0},
    )
    console = quiet()
    outcome = train(run, tmp_path / "run", start=None, console=console)
    found = lines(tmp_path / "run")
    assert [line["step"] for line in found] == list(range(1, len(found) + 1))
    guard = open_checkpoint(outcome.checkpoint).meta["guard"]
    assert guard["rollbacks"] == 1, told(console)
    ((first, end),) = guard["passed_over"]
    ends = [line["samples"] for line in found]
    assert [pair for pair in pairwise(ends) if pair[1] - pair[0] > 8] == [(first, end + 8)]
    assert outcome.tokens == outcome.samples * 32
    assert "is more than 1.6 times the median" in told(console)


def test_a_finished_run_says_so_and_does_not_measure_again(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run = section(
        corpus, 2, data={"hold_out_shards": 1}, validation={"every_steps": 9, "sequences": 8}, checkpoint={"keep": 1}
    )
    first = go(run, out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path.name != "lock"}
    console = quiet()
    again = train(run, out, start=None, console=console)
    assert "finished already: 512 tokens; raise schedule.total_tokens to go on" in told(console)
    assert "targets" not in told(console)
    assert again.held_out == first.held_out is not None
    assert again.unigram_entropy == first.unigram_entropy
    assert {path: path.read_bytes() for path in before} == before
    # Without its last line the loss is measured, and is the same.
    (out / "metrics.jsonl").write_text("")
    assert go(run, out).held_out == first.held_out
