"""A rank that never comes is named, and no rank waits for it for ever."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
import torch
from torch.multiprocessing.spawn import ProcessExitedException

from lauter.trainer.loop.watchdog import HUNG, Beat, Watchdog, verdict
from lauter.trainer.parallel.ranks import Ranks
from tests.trainer.parallel.processes import spawn


def slow_at_reading(ranks: Ranks, folder: Path) -> None:
    """Rank 1 reads for ever; rank 0 waits for it in a collective."""
    told: list[str] = []

    def leave(code: int) -> None:
        (folder / f"left-{ranks.rank}.json").write_text(json.dumps([code, told]))
        # So that the test sees what a launcher would, only after both have written.
        time.sleep(1)
        os._exit(code)

    with Watchdog(ranks, 1.0, folder, told.append, leave) as watchdog:
        watchdog.beat("reading for step 1")
        ranks.barrier()
        watchdog.beat("gradient of step 1")
        ranks.barrier()
        watchdog.beat("reading for step 2")
        if ranks.rank == 1:
            time.sleep(60)
        watchdog.beat("gradient of step 2")
        ranks.barrier()


def in_time(ranks: Ranks, folder: Path) -> None:
    """Nothing hangs, though all takes longer than the limit."""
    with Watchdog(ranks, 2.0, folder / "none", print) as watchdog:
        for step in range(6):
            watchdog.beat(f"gradient of step {step}")
            time.sleep(0.5)


@pytest.mark.slow
def test_the_rank_that_others_wait_for_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProcessExitedException) as ended:
        # The second function is never come to: two groups, as the first hangs.
        spawn({2: slow_at_reading}, tmp_path)
    assert ended.value.exit_code == HUNG
    ((code, told), (other, silent)) = (json.loads((tmp_path / f"left-{rank}.json").read_text()) for rank in (0, 1))
    assert (code, other, silent) == (HUNG, HUNG, [])
    (line,) = told
    assert line.startswith("no progress for ")
    assert "; rank 1 on " in line
    assert "is still in reading for step 2; 1 rank waits in gradient of step 2. See " in line
    stacks = (tmp_path / "hangs/rank-1.txt").read_text()
    assert "slow_at_reading" in stacks


@pytest.mark.slow
def test_ranks_that_go_on_are_left_alone(tmp_path: Path) -> None:
    spawn({2: in_time}, tmp_path)
    assert not (tmp_path / "none").exists()


def test_one_process_is_not_watched(tmp_path: Path) -> None:
    with Watchdog(Ranks(0, 1, torch.device("cpu")), 0.01, tmp_path, pytest.fail, pytest.fail) as watchdog:
        watchdog.beat("gradient of step 1")
        time.sleep(0.1)


def test_many_behind_are_counted() -> None:
    beats = {rank: Beat(9 - (rank % 2), "gradient" if rank % 2 == 0 else "reading", "a") for rank in range(12)}
    assert verdict(beats).endswith("is still in reading; and 3 more; 6 ranks wait in gradient")
    alike = dict.fromkeys(range(3), Beat(2, "gradient", "a"))
    assert verdict(alike) == "all 3 ranks are in gradient: the network, or a kernel, hangs"
