"""A rank that never comes is named, and no rank waits for it for ever."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from torch._C._distributed_c10d import TCPStore
from torch.multiprocessing.spawn import ProcessExitedException

from lauter.trainer.loop import watchdog as watchdog_module
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


def stopped_inside(ranks: Ranks, folder: Path) -> None:
    """All come to the same place, rank 0 first, and there rank 1 is stopped; rank 2 comes half a second later."""
    told: list[str] = []

    def leave(code: int) -> None:
        (folder / f"left-{ranks.rank}.json").write_text(json.dumps([code, told]))
        time.sleep(1)
        with suppress(ProcessLookupError):  # What starts the processes would wait half a minute for it to end.
            os.kill(int((folder / "stopped").read_text()), signal.SIGKILL)
        os._exit(code)

    with Watchdog(ranks, 1.0, folder, told.append, leave) as watchdog:
        watchdog.beat("gradient of step 1")
        ranks.barrier()
        if ranks.rank == 2:
            time.sleep(0.6)
        watchdog.beat("gradient of step 2")
        if ranks.rank == 1:
            (folder / "stopped").write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGSTOP)
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
    left = [json.loads((tmp_path / f"left-{rank}.json").read_text()) for rank in (0, 1)]
    assert [code for code, _ in left] == [HUNG, HUNG]
    # Whoever looks first tells, and no other.
    (line,) = [line for _, told in left for line in told]
    assert line.startswith("no progress for ")
    assert "; rank 1 on " in line
    assert "is still in reading for step 2; 1 rank waits in gradient of step 2. See " in line
    stacks = (tmp_path / "hangs/rank-1.txt").read_text()
    assert "slow_at_reading" in stacks


@pytest.mark.slow
def test_a_rank_that_was_stopped_where_all_wait_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProcessExitedException):
        spawn({3: stopped_inside}, tmp_path)
    lines = [line for path in sorted(tmp_path.glob("left-*.json")) for line in json.loads(path.read_text())[1]]
    (line,) = lines
    assert "; rank 1 on " in line
    assert "was stopped or killed in gradient of step 2; 2 ranks wait in gradient of step 2. See " in line


SERVES = """
import time
from torch._C._distributed_c10d import TCPStore
store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
print(store.port, flush=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_a_store_that_does_not_answer_is_no_verdict_about_other_ranks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rank 0 keeps it. Of one that is stopped torch waits for an answer for ever, though a timeout is set."""
    monkeypatch.setattr(watchdog_module, "ANSWER", 0.5)
    told: list[str] = []
    left: list[int] = []
    watchdog = Watchdog(Ranks(0, 1, torch.device("cpu")), 0.01, tmp_path, told.append, left.append)
    watchdog._ranks = Ranks(2, 4, torch.device("cpu"))
    with subprocess.Popen([sys.executable, "-c", SERVES], stdout=subprocess.PIPE, text=True) as rank0:
        assert rank0.stdout is not None
        port, wait = int(rank0.stdout.readline()), timedelta(seconds=1)
        try:
            for how in (signal.SIGSTOP, signal.SIGKILL):
                watchdog._store = TCPStore("localhost", port, is_master=False, wait_for_workers=False, timeout=wait)
                watchdog.beat("gradient of step 7")
                rank0.send_signal(how)
                watchdog._give_up(3.0)
                if how == signal.SIGSTOP:
                    rank0.send_signal(signal.SIGCONT)
        finally:
            rank0.kill()
    assert left == [HUNG, HUNG]
    assert len(told) == 2
    for line in told:
        assert line.startswith("no progress for 3 s; this is rank 2 in gradient of step 7, and rank 0, which knows")


@pytest.mark.slow
def test_ranks_that_go_on_are_left_alone(tmp_path: Path) -> None:
    spawn({2: in_time}, tmp_path)
    assert not (tmp_path / "none").exists()


def test_one_process_is_not_watched(tmp_path: Path) -> None:
    alone = Ranks(0, 1, torch.device("cpu"))
    with Watchdog(alone, 0.01, tmp_path, pytest.fail, lambda code: pytest.fail(str(code))) as watchdog:
        watchdog.beat("gradient of step 1")
        time.sleep(0.1)


def test_many_behind_are_counted() -> None:
    beats = {rank: Beat(9 - (rank % 2), "gradient" if rank % 2 == 0 else "reading", "a") for rank in range(12)}
    assert verdict(beats).endswith("is still in reading; and 3 more; 6 ranks wait in gradient")
    alike = dict.fromkeys(range(3), Beat(2, "gradient", "a"))
    assert verdict(alike).startswith("all 3 ranks run and were last in gradient: the network, or a kernel, hangs")
