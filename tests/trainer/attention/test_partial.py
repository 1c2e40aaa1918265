"""Attention to some of the keys, merged to that of all."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.trainer.attention.documents import document_attention
from lauter.trainer.attention.partial import every, every_gradients, merge, own, own_gradients, wide
from lauter.trainer.batch import Bounds
from tests.trainer.attention.test_documents import inputs


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([(1, 1), (4, 4), (4, 2), (6, 1)]))
def test_a_document_in_two_parts_is_the_whole(before: int, after: int, heads: tuple[int, int]) -> None:
    q, k, v = inputs(before + after, *heads, 8, torch.float64)
    expected = document_attention(q, k, v, Bounds.of([before + after]).cu_seqlens)
    weights = torch.linspace(-1, 1, expected.numel(), dtype=torch.float64).view(expected.shape)
    expected.backward(weights)
    with torch.no_grad():
        bounds, rows, keys = Bounds.of([before, after]), slice(before, before + after), slice(0, before)
        whole = wide(own(q, k, v, bounds))
        merge(whole.rows(rows), every(q[rows], k[keys], v[keys]))
        torch.testing.assert_close(whole.seen, expected, rtol=1e-12, atol=1e-12)
        found = own_gradients(weights, q, k, v, bounds, whole)
        further = every_gradients(weights[rows], q[rows], k[keys], v[keys], whole.rows(rows))
    for gradient, place, more, x in zip(found, (rows, keys, keys), further, (q, k, v), strict=True):
        gradient[place] += more
        torch.testing.assert_close(gradient, x.grad, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("queries", "keys"), [(3, 200), (300, 300)])
def test_in_bf16_normalisers_are_fp32_and_merging_is(queries: int, keys: int) -> None:
    q, k, v = (x.detach() for x in inputs(max(queries, keys), 4, 2, 16, torch.bfloat16))
    q, k, v = q[:queries], k[:keys], v[:keys]
    exact = every(*(x.double() for x in (q, k, v)))
    first, second = (slice(0, keys // 2), slice(keys // 2, keys))
    found = wide(every(q, k[first], v[first]))
    merge(found, every(q, k[second], v[second]))
    assert found.seen.dtype == found.normalisers.dtype == torch.float32
    torch.testing.assert_close(found.normalisers.double(), exact.normalisers, rtol=1e-4, atol=1e-4)
    assert (found.seen.double() - exact.seen).norm() < 2**-8 * exact.seen.norm()
    grad = torch.ones_like(q)
    rounded = found._replace(seen=found.seen.bfloat16())
    gradients = every_gradients(grad, q, k, v, rounded)
    expected = every_gradients(grad.double(), q.double(), k.double(), v.double(), exact)
    for x, y in zip(gradients, expected, strict=True):
        assert x.dtype == (torch.float32 if queries * keys <= 256**2 else torch.bfloat16)
        assert (x.double() - y).norm() < 0.02 * y.norm()


def test_shapes_of_the_gpus_back_end_on_meta() -> None:
    q, k, v = (torch.empty(12, n, 64, dtype=torch.bfloat16, device="meta") for n in (8, 2, 2))
    bounds = Bounds.of([5, 7]).to(torch.device("meta"))
    whole = own(q, k, v, bounds)
    assert whole.seen.shape == q.shape
    assert whole.normalisers.shape == (12, 8)
    assert [x.shape for x in own_gradients(whole.seen, q, k, v, bounds, whole)] == [q.shape, k.shape, v.shape]
    part = every(q[:3], k, v)
    assert part.seen.shape == (3, 8, 64)
    assert part.normalisers.shape == (3, 8)
    found = every_gradients(part.seen, q[:3], k, v, part)
    assert [x.shape for x in found] == [(3, 8, 64), k.shape, v.shape]
