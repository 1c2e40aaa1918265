"""The one door to attention."""

from __future__ import annotations

import torch

from lauter.trainer.attention.attention import attention
from lauter.trainer.attention.documents import document_attention
from lauter.trainer.batch import Bounds


def test_a_cpu_gets_the_documents_back_end() -> None:
    q, k, v = (torch.randn(7, n, 8) for n in (4, 2, 2))
    bounds = Bounds.of([3, 4])
    assert torch.equal(attention(q, k, v, bounds), document_attention(q, k, v, bounds.cu_seqlens))


def test_no_document_sees_another_nor_its_own_future() -> None:
    q, k, v = (torch.randn(9, n, 8) for n in (4, 2, 2))
    bounds = Bounds.of([4, 5])
    before = attention(q, k, v, bounds)
    for place in range(9):
        changed = q.clone(), k.clone(), v.clone()
        for x in changed:
            x[place] += 1
        same = (attention(*changed, bounds) == before).all(dim=(1, 2)).tolist()
        end = 4 if place < 4 else 9
        assert same == [not place <= other < end for other in range(9)]
