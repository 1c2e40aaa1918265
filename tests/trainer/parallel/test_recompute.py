from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.initialise import initialise
from lauter.trainer.parallel.plan import compute_dtype, lay_out
from tests.trainer.parallel.proof import ALONE, SHAPE, windows


def gradients(recompute: Literal["none", "selective", "full"], precision: Literal["bf16", "fp32"]) -> dict[str, Tensor]:
    model = Apertus(SHAPE, dtype=compute_dtype(precision))
    lay_out(model, ParallelSection(recompute=recompute), ALONE, precision, tell=pytest.fail)
    initialise(model, 3)
    terms = model.loss(windows(range(4)), 40.0, 1e-3)
    terms.total.backward()
    found = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
    assert found.keys() == dict(model.named_parameters()).keys()
    return {**found, "loss": terms.total.detach()}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("mode", ["selective", "full"])
def test_gradients_are_the_same_to_the_bit(
    mode: Literal["selective", "full"], precision: Literal["bf16", "fp32"]
) -> None:
    kept, again = gradients("none", precision), gradients(mode, precision)
    assert kept.keys() == again.keys()
    for name, one in kept.items():
        assert torch.equal(one, again[name]), name


def test_less_is_kept() -> None:
    def kept(mode: Literal["none", "selective", "full"]) -> int:
        model = Apertus(SHAPE)
        lay_out(model, ParallelSection(recompute=mode), ALONE, "fp32", tell=pytest.fail)
        initialise(model, 3)
        sizes: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            if not isinstance(tensor, torch.nn.Parameter):
                sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            batch = windows(range(4))
            hidden = model.hidden_states(batch.tokens, batch.positions, batch.bounds)
        assert hidden.requires_grad
        return sum(sizes.values())

    none, selective, full = kept("none"), kept("selective"), kept("full")
    assert full < selective < none
