"""The input embedding's gradient: one rounding, whatever the number of tokens of an id."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from lauter.trainer.model.embedding import Embedding

IDS, WIDTH, TOKENS = 300, 24, 4096


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def drawn(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Tokens, a quarter of them one id, and a gradient whose sums do not cancel."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(10, IDS - 10, (TOKENS,), generator=generator)
    tokens[torch.randperm(TOKENS, generator=generator)[: TOKENS // 4]] = 3
    return tokens, (torch.randn(TOKENS, WIDTH, generator=generator) * 1e-3 + 5e-4).to(dtype)


def gradient(tokens: Tensor, grad: Tensor) -> Tensor:
    embedding = Embedding(IDS, WIDTH, device=None, dtype=grad.dtype)
    embedding(tokens).backward(grad)
    assert embedding.weight.grad is not None and embedding.weight.grad.dtype == grad.dtype
    return embedding.weight.grad


@pytest.mark.parametrize(
    ("dtype", "rounding", "left"),
    [(torch.bfloat16, 2**-8, 1e-8), (torch.float32, 1e-5, 1e-8), (torch.float64, 1e-12, 1e-16)],
    ids=["bf16", "fp32", "fp64"],
)
def test_rows_are_sums_that_are_rounded_once(dtype: torch.dtype, rounding: float, left: float) -> None:
    tokens, grad = drawn(dtype)
    exact = torch.zeros(IDS, WIDTH, dtype=torch.float64).index_add_(0, tokens, grad.double())
    found = gradient(tokens, grad).double()
    # `left`: where terms cancel, float32 sums lose some 1e-10 of terms of 1e-3.
    torch.testing.assert_close(found, exact, rtol=rounding, atol=left)
    assert not found[[0, 9, IDS - 1]].any()


def test_float32_is_torchs_to_the_bit() -> None:
    tokens, grad = drawn(torch.float32)
    theirs = nn.Embedding(IDS, WIDTH)
    theirs(tokens).backward(grad)
    assert theirs.weight.grad is not None and torch.equal(gradient(tokens, grad), theirs.weight.grad)


def test_threads_change_no_bit() -> None:
    tokens, grad = drawn(torch.bfloat16)
    found = []
    for count in (1, 2):
        torch.set_num_threads(count)
        found.append(gradient(tokens, grad))
    assert torch.equal(*found)


def test_gradients_add_up_over_backward_passes() -> None:
    tokens, grad = drawn(torch.float32)
    embedding = Embedding(IDS, WIDTH, device=None, dtype=torch.float32)
    for part in (slice(0, 1000), slice(1000, None)):
        embedding(tokens[part]).backward(grad[part])
    torch.testing.assert_close(embedding.weight.grad, gradient(tokens, grad), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("token", [-1, IDS])
def test_an_id_that_there_is_not_is_refused(token: int) -> None:
    with pytest.raises(IndexError):
        Embedding(IDS, WIDTH, device=None, dtype=torch.float32)(torch.tensor([0, token]))


def test_no_second_derivative_is_silently_zero() -> None:
    embedding = Embedding(IDS, WIDTH, device=None, dtype=torch.float32)
    (first,) = torch.autograd.grad(embedding(torch.tensor([1, 2])).square().sum(), embedding.weight, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()
