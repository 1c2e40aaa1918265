"""Tensor parallelism against one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.loss.cross_entropy import linear_cross_entropy, token_losses
from tests.trainer.parallel import tensor_cases as cases
from tests.trainer.parallel.processes import spawn
from tests.trainer.parallel.proof import ALONE, SHALLOW, WINDOWS, assert_same, prove


@pytest.mark.slow
def test_products_that_ranks_share_are_as_those_of_one_process(tmp_path: Path) -> None:
    # One test, as starting four processes takes longer than all that they do.
    spawn({4: cases.four, 2: cases.two}, tmp_path)
    alone = prove(ALONE.ranks, ParallelSection(), WINDOWS, SHALLOW)
    for case in (*cases.TWO, *cases.FOUR):
        assert_same(alone, torch.load(tmp_path / f"{case}.pt"))
    a_sum_that_is_left_out_is_found(torch.load(tmp_path / "left-out.pt"))
    assert "to 128, but there are 128 ids" in torch.load(tmp_path / "strange-id.pt")
    bf16_is_close_to_one_process(torch.load(tmp_path / "bf16.pt"))
    for dtype, bar in ((torch.float64, 1e-12), (torch.float32, 1e-6), (torch.bfloat16, 1e-2)):
        a_shared_softmax_is_the_whole_one(
            torch.load(tmp_path / f"loss-{str(dtype).removeprefix('torch.')}.pt"), dtype, bar
        )


def a_sum_that_is_left_out_is_found(said: dict[str, str]) -> None:
    assert sorted(said) == cases.PARTIAL
    assert len(said) == 7
    for key, message in said.items():
        assert key in message, f"{key}: {message!r}"
        assert "Gradients were not reduced over all copies" in message


def bf16_is_close_to_one_process(found: dict[str, Any]) -> None:
    alone = cases.one_step(ALONE.ranks, ParallelSection(), "bf16")
    assert found["loss"] == pytest.approx(alone["loss"], rel=1e-4)
    assert found["norm"] == pytest.approx(alone["norm"], rel=1e-2)
    assert found["gradients"].keys() == alone["gradients"].keys()
    for name, one in alone["gradients"].items():
        # Sums of bf16 products are rounded once more on each rank; those of the scalars nearly cancel out.
        assert (found["gradients"][name] - one).norm() <= 3e-2 * one.norm() + 1e-4 * alone["norm"], name


def a_shared_softmax_is_the_whole_one(found: dict[str, Any], dtype: torch.dtype, bar: float) -> None:
    hidden, weight, labels = cases.loss_inputs(dtype)
    hidden.requires_grad_()
    weight.requires_grad_()
    terms = linear_cross_entropy(hidden, weight, labels, normaliser=33.0, z_loss=1e-2)
    terms.total.backward()
    expected = {
        "total": terms.total.detach(),
        "nll": terms.nll,
        "z": terms.z,
        "hidden": hidden.grad,
        "weight": weight.grad,
        "losses": token_losses(hidden, weight, labels),
    }
    for key, one in expected.items():
        assert one is not None
        assert (found[key].double() - one.double()).norm() <= bar * one.double().norm(), key


@pytest.mark.soak
def test_compiled_layers_talk_to_other_ranks(tmp_path: Path) -> None:
    spawn({2: cases.compiled}, tmp_path)
    found = torch.load(tmp_path / "compiled.pt")
    alone = cases.one_step(ALONE.ranks, ParallelSection(), "fp32")
    assert found["loss"] == pytest.approx(alone["loss"], rel=1e-5)
    assert found["norm"] == pytest.approx(alone["norm"], rel=1e-5)
    for name, one in alone["gradients"].items():
        assert (found["gradients"][name] - one).norm() <= 1e-5 * one.norm(), name
