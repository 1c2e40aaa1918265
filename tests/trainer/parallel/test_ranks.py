from __future__ import annotations

import pytest
import torch

from lauter.trainer.config.sections import ParallelSection
from lauter.trainer.parallel.mesh import mesh
from lauter.trainer.parallel.ranks import Ranks, leave, start

CPU = torch.device("cpu")


def test_one_process_needs_no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    ranks = start()
    assert (ranks.rank, ranks.count, ranks.first) == (0, 1, True)
    assert ranks.sum([1.5, -2.0]) == ranks.max([1.5, -2.0]) == [1.5, -2.0]
    ranks.barrier()
    leave(ranks)
    assert mesh(ranks, ParallelSection()) is None


def test_half_of_torchruns_environment_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="RANK, LOCAL_RANK, MASTER_ADDR, MASTER_PORT is not set; start with torchrun"):
        start()


def test_copies_that_do_not_divide_the_ranks_are_refused() -> None:
    with pytest.raises(ValueError, match=r"parallel\.replicate: 4 rank\(s\) can't be split into 3 equal groups"):
        mesh(Ranks(0, 4, CPU), ParallelSection(replicate=3))
