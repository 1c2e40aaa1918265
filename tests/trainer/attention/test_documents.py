"""Attention over packed documents on a CPU, against the formula and against torch document by document."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from lauter.trainer.attention.documents import document_attention
from lauter.trainer.batch import Bounds


def by_formula(q: Tensor, k: Tensor, v: Tensor, lengths: list[int]) -> Tensor:
    """One dense score matrix in which only a document's own past is left."""
    groups = q.shape[1] // k.shape[1]
    keys, values = (x.repeat_interleave(groups, dim=1).transpose(0, 1) for x in (k, v))
    scores = q.transpose(0, 1) @ keys.transpose(1, 2) / q.shape[2] ** 0.5
    document = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    allowed = (document[:, None] == document) & torch.ones(len(q), len(q), dtype=torch.bool).tril()
    seen: Tensor = (scores.masked_fill(~allowed, -torch.inf).softmax(-1) @ values).transpose(0, 1)
    return seen


def by_torch(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Of one document."""
    q, k, v = (x.transpose(0, 1)[None] for x in (q, k, v))
    return scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)[0].transpose(0, 1)


def inputs(tokens: int, heads: int, kv_heads: int, head_dim: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(tokens)
    q, k, v = (
        torch.randn(tokens, n, head_dim, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
        for n in (heads, kv_heads, kv_heads)
    )
    return q, k, v


def copies(of: tuple[Tensor, Tensor, Tensor], dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    q, k, v = (x.detach().clone().to(dtype).requires_grad_() for x in of)
    return q, k, v


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=6),
    st.sampled_from([(1, 1), (4, 4), (4, 2), (6, 1)]),
    st.sampled_from([2, 8, 18]),
)
def test_result_and_gradients_are_those_of_the_formula(
    lengths: list[int], heads: tuple[int, int], head_dim: int
) -> None:
    ours = inputs(sum(lengths), *heads, head_dim, torch.float64)
    dense = copies(ours, torch.float64)
    seen, expected = document_attention(*ours, Bounds.of(lengths).cu_seqlens), by_formula(*dense, lengths)
    torch.testing.assert_close(seen, expected, rtol=1e-12, atol=1e-12)
    weights = torch.linspace(-1, 1, seen.numel(), dtype=torch.float64).view(seen.shape)
    seen.backward(weights)
    expected.backward(weights)
    for x, y in zip(ours, dense, strict=True):
        torch.testing.assert_close(x.grad, y.grad, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_each_document_is_torchs_own_result_to_the_bit(dtype: torch.dtype) -> None:
    lengths = [300, 1, 37]
    ours = inputs(sum(lengths), 4, 2, 16, dtype)
    theirs = copies(ours, dtype)
    seen = document_attention(*ours, Bounds.of(lengths).cu_seqlens)
    documents = zip(*(x.split(lengths) for x in theirs), strict=True)
    expected = torch.cat([by_torch(q, k, v) for q, k, v in documents])
    assert torch.equal(seen, expected)
    weights = torch.randn(seen.shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    seen.backward(weights)
    expected.backward(weights)
    # Of a short bf16 document the gradients are computed in fp32 and rounded once: nearer to the truth than torch's.
    exact = lengths[0] if dtype == torch.bfloat16 else sum(lengths)
    for x, y in zip(ours, theirs, strict=True):
        assert x.grad is not None and y.grad is not None
        assert torch.equal(x.grad[:exact], y.grad[:exact])
        torch.testing.assert_close(x.grad, y.grad, rtol=0.02, atol=0.02)


def test_short_bf16_documents_have_gradients_rounded_once() -> None:
    ours = inputs(20, 4, 2, 16, torch.bfloat16)
    wide = copies(ours, torch.float64)
    for tensors in (ours, wide):
        document_attention(*tensors, Bounds.of([20]).cu_seqlens).sum().backward()
    for x, y in zip(ours, wide, strict=True):
        assert x.grad is not None and y.grad is not None
        # The result of the forward pass, which the gradients use, was rounded to 8 bits.
        assert (x.grad.double() - y.grad).norm() < 2**-7 * y.grad.norm()


def test_operator_keeps_the_rules_of_torch_library() -> None:
    q, k, v = inputs(9, 4, 2, 8, torch.float64)
    cu_seqlens = Bounds.of([4, 5]).cu_seqlens
    torch.library.opcheck(torch.ops.lauter.document_attention.default, (q, k, v, cu_seqlens))


@pytest.mark.parametrize("ends", [[0, 4, 4, 9], [0, 4, 8], [1, 9], [0, 5, 3, 9]], ids=str)
def test_wrong_bounds_are_refused(ends: list[int]) -> None:
    with pytest.raises(ValueError, match="cu_seqlens must ascend from 0 to 9"):
        document_attention(*inputs(9, 2, 2, 4, torch.float32), torch.tensor(ends, dtype=torch.int32))


def test_wrong_shapes_are_refused() -> None:
    q, k, v = inputs(9, 3, 2, 4, torch.float32)
    with pytest.raises(ValueError, match=r"shapes do not fit: q \(9, 3, 4\), k \(9, 2, 4\)"):
        document_attention(q, k, v, Bounds.of([9]).cu_seqlens)
