from __future__ import annotations

import pytest
import torch

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.parallel.axes import axes
from lauter.trainer.parallel.ranks import Ranks, leave, start

CPU = torch.device("cpu")


def test_one_process_needs_no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    ranks = start()
    assert (ranks.rank, ranks.count, ranks.first) == (0, 1, True)
    assert ranks.sum([1.5, -2.0]) == ranks.max([1.5, -2.0]) == [1.5, -2.0]
    ranks.barrier()
    leave(ranks)
    assert axes(ranks, ParallelSection()).mesh is None


def test_half_of_torchruns_environment_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="RANK, LOCAL_RANK, MASTER_ADDR, MASTER_PORT is not set; start with torchrun"):
        start()


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (ParallelSection(replicate=3), r"4 rank\(s\) can't be split into replicate 3; start a multiple of 3"),
        (ParallelSection(tensor=2, shard=4), r"can't be split into shard 4 x tensor 2; start a multiple of 8"),
        (ParallelSection(pipeline=8), r"can't be split into pipeline 8; start a multiple of 8"),
    ],
)
def test_sizes_that_do_not_multiply_to_the_ranks_are_refused(section: ParallelSection, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        axes(Ranks(0, 4, CPU), section)
