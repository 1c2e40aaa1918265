"""Low-rank parts on several ranks against one process."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lauter.trainer.config.parallel import ParallelSection
from tests.trainer.parallel import low_rank_cases as cases
from tests.trainer.parallel.processes import spawn
from tests.trainer.parallel.proof import ALONE, SHALLOW, WINDOWS, assert_same, prove


@pytest.mark.slow
def test_low_rank_parts_have_the_gradients_of_one_process(tmp_path: Path) -> None:
    spawn({4: cases.four}, tmp_path)
    alone = prove(ALONE.ranks, ParallelSection(), WINDOWS, SHALLOW, cases.LORA)
    assert len(alone["gradient"][0]) == 2 * 6 * SHALLOW.layers, "what is frozen has a gradient"
    for case in cases.FOUR:
        assert_same(alone, torch.load(tmp_path / f"{case}.pt"))
