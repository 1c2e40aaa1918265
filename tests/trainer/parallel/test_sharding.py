"""The same losses and gradients on one process and on several, in fp64."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from lauter.trainer.checkpoint.dcp_read import SavedTensors
from lauter.trainer.checkpoint.read import open_checkpoint, read_weights
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.loop.run import train
from lauter.trainer.loop.sample import continuations
from tests.trainer.loop.language import quiet, write_language
from tests.trainer.parallel import cases
from tests.trainer.parallel.processes import spawn
from tests.trainer.parallel.proof import ALONE, WINDOWS, assert_same, laid_out, prove


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    return prove(ALONE.ranks, ParallelSection(), WINDOWS)


@pytest.mark.slow
def test_several_ranks_are_as_one_process(tmp_path: Path, alone: dict[str, Any]) -> None:
    # One test, as starting four processes takes longer than all that they do.
    write_language(tmp_path / "language")
    spawn({4: cases.four, 2: cases.two}, tmp_path)
    for case in ("fsdp-2", "fsdp-4", "hsdp-2x2", "hsdp-4x1"):
        assert_same(alone, torch.load(tmp_path / f"{case}.pt"))
    a_signal_to_one_rank_is_known_to_all(tmp_path)
    bf16_shards_train_as_one_process_with_masters_does(tmp_path)
    continuations_of_a_shared_model_are_those_of_one_process(tmp_path)
    one_process_goes_on_with_the_samples_of_two(tmp_path)
    what_validation_gathers_is_not_what_is_saved(tmp_path)
    assert torch.load(tmp_path / "after-errors.pt") == [True, True]


def bf16_shards_train_as_one_process_with_masters_does(folder: Path) -> None:
    alone, found = cases.bf16(ALONE.ranks), torch.load(folder / "bf16.pt", weights_only=False)
    assert (alone["held"], found["held"]) == ({torch.bfloat16}, {torch.float32})
    assert found["loss"] == pytest.approx(alone["loss"], rel=1e-5)
    # The gradient of one process is rounded to bf16, that of two is added up in fp32.
    assert found["norm"] == pytest.approx(alone["norm"], rel=1e-2)
    assert alone["weights"].keys() == found["weights"].keys()
    for name, one in alone["weights"].items():
        assert one.dtype == found["weights"][name].dtype == torch.float32
        if name.startswith("weight."):
            # First values are the same to the bit; an update is at most 1e-3 and a decay.
            assert (one - found["weights"][name]).abs().max() <= 2.1e-3, name
        else:
            assert (one - found["weights"][name]).norm() <= 4e-2 * one.norm(), name


def a_signal_to_one_rank_is_known_to_all(folder: Path) -> None:
    assert torch.load(folder / "signal.pt", weights_only=False) is signal.SIGUSR1


def continuations_of_a_shared_model_are_those_of_one_process(folder: Path) -> None:
    model, *_ = laid_out(ALONE.ranks, ParallelSection(), "fp32")
    assert torch.load(folder / "continuations.pt") == continuations(model, cases.prompts(), seed=3)


def one_process_goes_on_with_the_samples_of_two(folder: Path) -> None:
    train(cases.run(folder, 8), folder / "run", start=None, console=quiet())
    train(cases.run(folder, 8), folder / "whole", start=None, console=quiet())
    parts, whole = (
        [json.loads(line) for line in (folder / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("run", "whole")
    )
    assert [line["step"] for line in parts] == list(range(1, 9))
    for one, other in zip(parts, whole, strict=True):
        for key in ("samples", "tokens", "targets", "goldfish_rate", "context"):
            assert one[key] == other[key]
        for key in ("loss", "gradient_norm"):
            assert one[key] == pytest.approx(other[key], rel=1e-11)
        if "held_out" in one:
            assert one["held_out"]["loss"] == pytest.approx(other["held_out"]["loss"], rel=1e-6)


@pytest.mark.parametrize("micro", [1, 2, 4])
def test_micro_batches_change_nothing(alone: dict[str, Any], micro: int) -> None:
    assert_same(alone, prove(ALONE.ranks, ParallelSection(), micro))


def what_validation_gathers_is_not_what_is_saved(folder: Path) -> None:
    # The bf16 copies of embeddings and last norm are still gathered after a pass without gradients.
    index = SavedTensors(open_checkpoint(folder / "bf16").path).index
    assert {entry.properties.dtype for entry in index.values()} == {torch.float32}
    weights = dict(read_weights(open_checkpoint(folder / "bf16")))
    for name in ("lm_head.weight", "model.embed_tokens.weight"):
        assert not torch.equal(weights[name], weights[name].bfloat16().float())
