"""Tokens that several ranks share: losses, gradients and attention itself are those of one process."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lauter.trainer.attention.attention import attention
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.loop.sample import continuations
from lauter.trainer.model.layer import Attention
from tests.trainer.parallel import context_cases as cases
from tests.trainer.parallel.cases import prompts
from tests.trainer.parallel.processes import spawn
from tests.trainer.parallel.proof import ALONE, SHALLOW, WINDOWS, assert_same, laid_out, prove


@pytest.mark.slow
def test_ranks_that_share_tokens_are_as_one_process(tmp_path: Path) -> None:
    # One test, as starting four processes takes longer than what they do.
    spawn({4: cases.four, 2: cases.two}, tmp_path)
    alone = prove(ALONE.ranks, ParallelSection(), WINDOWS, SHALLOW)
    for name in (*(f"{kind}-{count}" for kind in cases.KINDS for count in (2, 4)), "shard", "replicate"):
        assert_same(alone, torch.load(tmp_path / f"{name}.pt"))
    for kind in cases.KINDS:
        for count in (2, 4):
            for lengths, error in torch.load(tmp_path / f"{kind}-{count}-apart.pt"):
                assert error < 1e-12, (kind, count, lengths)
    bf16_loses_hardly_more_than_one_process_does(tmp_path)
    what_is_generated_is_not_shared(tmp_path)


def what_is_generated_is_not_shared(folder: Path) -> None:
    model, _, _, _ = laid_out(ALONE.ranks, ParallelSection(), "fp32")
    assert torch.load(folder / "continuations.pt") == continuations(model, prompts(), seed=3)


def bf16_loses_hardly_more_than_one_process_does(folder: Path) -> None:
    alone = cases.bf16_step(ALONE.ranks, ParallelSection())
    for found in torch.load(folder / "bf16.pt").values():
        for one, shared in zip(found["alone"], found["shared"], strict=True):
            # Keys whose gradients come from two ranks are rounded twice.
            assert shared < 1.5 * one < 0.005
        assert found["step"] == pytest.approx(alone, rel=0.01)


@pytest.mark.soak
def test_compiled_layers_share_tokens_as_well(tmp_path: Path) -> None:
    spawn({2: cases.compiled}, tmp_path)
    alone = cases.one_step(ALONE.ranks, ParallelSection())
    for kind in cases.KINDS:
        found = torch.load(tmp_path / f"{kind}.pt")
        if found["said"]:
            pytest.skip(found["said"][0])
        assert (found["loss"], found["norm"]) == pytest.approx((alone["loss"], alone["norm"]), rel=1e-12)
        for name, one in alone["gradients"].items():
            assert (found["gradients"][name] - one).abs().max() <= 1e-12, (kind, name)


def test_one_process_keeps_plain_attention_and_whole_batches() -> None:
    model, _, _, _ = laid_out(ALONE.ranks, ParallelSection(context_kind="ring"), "fp64")
    assert {one.attend for one in model.modules() if isinstance(one, Attention)} == {attention}
