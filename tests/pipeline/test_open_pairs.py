from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from lauter.pipeline import exchange
from lauter.pipeline.steps.joining.open_pairs import spread_pairs


@pytest.mark.parametrize("hub", [0, 1, 0x123456789ABCDEF])
@pytest.mark.parametrize("side", ["left", "right"])
def test_the_pairs_of_one_hub_lie_in_all_pieces(hub: int, side: str) -> None:
    others = np.random.default_rng(1).integers(1 << 60, 1 << 64, 1 << 16, np.uint64)
    hubs = np.full(len(others), hub, np.uint64)
    table = pa.table({"left": hubs, "right": others} if side == "left" else {"left": others, "right": hubs})
    counts = np.bincount(exchange.partition_of(spread_pairs(table), 64), minlength=64)
    assert counts.min() > 800 and counts.max() < 1250
