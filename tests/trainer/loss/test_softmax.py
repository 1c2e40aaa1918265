"""The softmax kernels against plain torch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from lauter.trainer.bfloat16 import array_of
from lauter.trainer.loss.softmax import losses, losses_and_gradients
from lauter.trainer.loss.softmax_kernel import IDS, scaled_softmax

ROUNDING = {torch.float64: 1e-14, torch.float32: 2e-6, torch.bfloat16: 2**-8}


def plain(logits: Tensor, labels: Tensor, scale: float, z_loss: float) -> tuple[Tensor, Tensor, Tensor]:
    wide = logits.double()
    lse = wide.logsumexp(0)
    one_hot = torch.nn.functional.one_hot(labels, len(logits)).t()
    gradient = scale * (wide.softmax(0) * (1 + 2 * z_loss * lse) - one_hot)
    return lse - wide.gather(0, labels[None])[0], lse, gradient


@pytest.mark.parametrize("dtype", list(ROUNDING), ids=["fp64", "fp32", "bf16"])
@pytest.mark.parametrize("ids", [1, 15, 130, IDS + 3, 3 * IDS])
@pytest.mark.parametrize(("spread", "z_loss"), [(1.0, 0.0), (30.0, 0.01)])
def test_kernels_are_plain_torch(dtype: torch.dtype, ids: int, spread: float, z_loss: float) -> None:
    draw = torch.Generator().manual_seed(ids)
    logits = (torch.randn(ids, 21, generator=draw, dtype=torch.float64) * spread).to(dtype)
    labels = torch.randint(ids, (21,), generator=draw)
    nll, lse, gradient = plain(logits, labels, 1e-3, z_loss)
    bar = 1e-12 if dtype == torch.float64 else 4e-6
    found = losses(logits, labels)
    assert torch.allclose(found[0], nll, rtol=bar, atol=bar)
    assert torch.allclose(found[1], lse, rtol=bar, atol=bar)
    both = losses_and_gradients(logits, labels, 1e-3, z_loss)
    assert torch.allclose(both[0], nll, rtol=bar, atol=bar)
    assert torch.allclose(logits.double(), gradient, rtol=2 * ROUNDING[dtype], atol=1e-3 * bar)


@pytest.fixture
def threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads_as_before")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_the_result_does_not_depend_on_threads(dtype: torch.dtype) -> None:
    # Above the size from which more than one thread works.
    logits = torch.randn(3 * IDS, 33, generator=torch.Generator().manual_seed(1)).to(dtype)
    found = []
    for count in (1, 2):
        torch.set_num_threads(count)
        gradient = logits.clone()
        nll, lse = losses_and_gradients(gradient, torch.arange(33), 1.0, 0.0)
        found.append((nll, lse, gradient))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("without", [1, 16, 17, 48, IDS, IDS + 16])
def test_ids_of_probability_zero_change_nothing(dtype: torch.dtype, without: int) -> None:
    logits = torch.randn(IDS + 40, 5, generator=torch.Generator().manual_seed(without)).to(dtype)
    logits[:without, 1:3] = -torch.inf
    labels = torch.full((5,), IDS + 30)
    nll, lse, gradient = plain(logits, labels, 1.0, 0.0)
    found = losses_and_gradients(logits, labels, 1.0, 0.0)
    torch.testing.assert_close(found, (nll, lse), rtol=4e-6, atol=4e-6)
    torch.testing.assert_close(logits.double(), gradient, rtol=2 * ROUNDING[dtype], atol=4e-6)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_not_finite_is_not_hidden(value: float) -> None:
    logits = torch.randn(40, 3, generator=torch.Generator().manual_seed(2))
    logits[20, 1] = value
    assert losses(logits, torch.zeros(3, dtype=torch.int64))[0].isfinite().tolist() == [True, False, True]


def test_powers_of_two_are_exact_to_float32_and_end_at_2_to_the_minus_126() -> None:
    x = torch.linspace(-140, 0, 100_001, dtype=torch.float64).float()
    found = x[None] / torch.tensor(1 / np.log(2)).float()
    scaled_softmax(array_of(found), np.zeros(x.numel(), np.float32), np.ones(x.numel(), np.float32))
    expected = x.double().clamp(min=-126).exp2()
    # The argument itself is rounded, to 2^-18 of 1 at -126.
    assert float((found[0] / expected - 1).abs().max()) < 1.2e-5
    near = x > -1
    assert float((found[0] / expected - 1)[near].abs().max()) < 4e-7


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_a_certain_label_leaves_the_small_rest_exactly(dtype: torch.dtype) -> None:
    logits = torch.full((64, 16), -12.0, dtype=dtype)
    logits[5] = 0.0
    _, _, gradient = plain(logits, torch.full((16,), 5), 1.0, 0.0)
    losses_and_gradients(logits, torch.full((16,), 5), 1.0, 0.0)
    # 1 - 63 e^-12 is 1 in bf16: subtracting after the rounding would leave 0.
    assert torch.allclose(logits[5].double(), gradient[5], rtol=2e-2)
