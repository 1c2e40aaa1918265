"""8-bit products: what is refused without a GPU, and the rounding, emulated."""

from __future__ import annotations

import pytest
import torch

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.initialise import initialise
from lauter.trainer.parallel.float8 import require_float8, use_float8
from tests.trainer.parallel.proof import SHAPE, windows


def test_a_cpu_is_refused() -> None:
    assert not ParallelSection().float8
    with pytest.raises(ValueError, match=r"needs a GPU of compute capability 8\.9 or more, and this is a CPU"):
        require_float8(torch.device("cpu"))


def test_emulated_products_round_forward_and_backward() -> None:
    pytest.importorskip("torchao", reason="torchao is not installed: pip install '.[float8]'")
    losses, gradients = [], []
    batch = windows(range(8))
    for rounded in (False, True):
        model = Apertus(SHAPE, dtype=torch.bfloat16)
        initialise(model, 5)
        if rounded:
            use_float8(model, emulated=True)
        terms = model.loss(batch, batch.targets)
        terms.total.backward()
        losses.append(terms.total.item())
        gradients.append({name: one.grad.float() for name, one in model.named_parameters() if one.grad is not None})
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=1e-2)
    matrices = {name: exact for name, exact in gradients[0].items() if exact.dim() == 2}
    for name, exact in matrices.items():
        # Three bits of mantissa forward and two backward, in each of four layers. Scalars are sums that nearly cancel.
        assert 0 < (gradients[1][name] - exact).norm() <= 0.25 * exact.norm(), name
