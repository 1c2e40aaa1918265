"""Which ids a rank's share has; what the shares give together is in parallel/test_tensor.py."""

from __future__ import annotations

from typing import cast

import torch
import torch.distributed as dist
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lauter.trainer.loss.vocabulary import Share


@given(ids=st.lists(st.integers(0, 11), max_size=20))
def test_every_id_is_in_one_share_at_its_place(ids: list[int]) -> None:
    labels = torch.tensor(ids, dtype=torch.int64)
    found: list[Tensor] = []
    for first in (0, 4, 8):
        places, within = Share(first, 4, 12, cast(dist.ProcessGroup, None)).here(labels)
        assert torch.equal(labels[places], within + first)
        assert ((within >= 0) & (within < 4)).all()
        found.append(places)
    assert torch.cat(found).sort().values.tolist() == list(range(len(ids)))
