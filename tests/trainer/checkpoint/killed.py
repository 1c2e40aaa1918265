"""A process that is killed while it saves, at a moment of one's choice; run by test_killed.py.

Python tells an audit hook of every file that is opened, renamed or removed, before it is done. A hook that kills its
own process (SIGKILL) at the n-th such event leaves the disk as a kill between two steps of a save does, and n runs
through all of them. What happens to memory and descriptors is the kernel's affair, as with any kill.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from lauter.trainer.checkpoint.error import CheckpointError
from lauter.trainer.checkpoint.read import open_checkpoint
from lauter.trainer.checkpoint.store import Checkpoints
from tests.trainer.checkpoint.killed_ranks import ranks_killed
from tests.trainer.checkpoint.state import TOKENIZER, equal, meta, run_of, section, state, zeros

EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree")


def save(out: Path, step: int, *, asynchronous: bool) -> None:
    """One more checkpoint, of which only the newest is kept: every part of a save takes place."""
    checkpoints = Checkpoints(out / "checkpoints", section(asynchronous=asynchronous, keep=1), rank=0, ranks=1)
    checkpoints.save(state(step), meta(step), TOKENIZER)
    checkpoints.finish()


def in_child(act: Callable[[], None]) -> int:
    """Do something in a fork; its exit status as `os.waitpid` gives it."""
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1]


def kill_at(out: Path, moment: int) -> None:
    """From here on the n-th change below `out` kills this process before it takes place."""
    left = moment

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in EVENTS and str(arguments[0]).startswith(str(out)):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def is_whole(out: Path) -> int:
    """The step from which a run would go on, every tensor compared."""
    step: int = open_checkpoint(out).meta["progress"]["step"]
    warnings: list[str] = []
    checkpoints = Checkpoints(out / "checkpoints", section(), rank=0, ranks=1, warn=warnings.append)
    latest = checkpoints.latest()
    assert latest is not None
    assert latest.meta["progress"]["step"] == step
    loaded = zeros()
    checkpoints.load(latest, loaded)
    assert equal(loaded, state(step))
    assert not [one for one in warnings if "broken" in one]
    return step


def sweep(folder: Path, stride: int, *, asynchronous: bool, again: bool) -> list[int]:
    """Kill a save at every `stride`-th moment; the step that LATEST named after each. `again` saves a step anew."""
    before, after = (2, 2) if again else (2, 3)
    found: list[int] = []
    for moment in range(1, 1000, stride):
        out = folder / f"killed{moment}"
        shutil.copytree(folder / "pristine", out)

        def act(out: Path = out, moment: int = moment) -> None:
            kill_at(out, moment)
            save(out, after, asynchronous=asynchronous)

        status = in_child(act)
        if not again or (out / "checkpoints" / "step-0000000002").exists():
            found.append(is_whole(out))
        else:
            # Between two renames, only while a checkpoint of the very same step is replaced.
            Checkpoints(out / "checkpoints", section(), rank=0, ranks=1, warn=lambda _: None)
            found.append(is_whole(out))
        assert found[-1] in (before, after)
        save(out, after, asynchronous=False)
        assert is_whole(out) == after
        assert sorted(path.name for path in (out / "checkpoints").iterdir()) == ["LATEST", f"step-{after:010d}"]
        shutil.rmtree(out)
        if not os.WIFSIGNALED(status):
            return found
    raise AssertionError("a save has no end")


def at_random(folder: Path, times: int, *, asynchronous: bool) -> int:
    """Kill a run that saves all the time at random moments, in the middle of writes too; how often it was killed."""
    chance = random.Random(28)
    killed = 0
    out = folder / "random"
    shutil.copytree(folder / "pristine", out)
    live = {f"weight.{number}": torch.zeros(200_000) for number in range(8)}

    def act() -> None:
        checkpoints = Checkpoints(out / "checkpoints", section(asynchronous=asynchronous, keep=1), rank=0, ranks=1)
        latest = checkpoints.latest()
        assert latest is not None
        step = latest.meta["progress"]["step"]
        while True:
            step += 1
            for tensor in live.values():
                tensor.fill_(step)
            checkpoints.save(live, meta(step), TOKENIZER)

    for _ in range(times):
        child = os.fork()
        if child == 0:
            try:
                act()
            finally:
                os._exit(1)
        time.sleep(chance.uniform(0.0, 0.3))
        os.kill(child, signal.SIGKILL)
        killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
        checkpoint = open_checkpoint(out)
        step = checkpoint.meta["progress"]["step"]
        if step > 2:
            loaded = {key: torch.empty_like(tensor) for key, tensor in live.items()}
            Checkpoints(out / "checkpoints", section(), rank=0, ranks=1, warn=lambda _: None).load(checkpoint, loaded)
            assert all(bool((tensor == step).all()) for tensor in loaded.values())
    return killed


def full(folder: Path, *, asynchronous: bool) -> list[str]:
    """Files may not grow beyond a limit, as on a full disk: what is said, for limits from none to almost all."""
    out = folder / f"full{int(asynchronous)}"
    run_of(out, 1, 2)
    size = (out / "checkpoints/step-0000000002/__0_0.distcp").stat().st_size
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    said = []
    for limit in (0, 10, size // 3, size - 1):
        checkpoints = Checkpoints(out / "checkpoints", section(asynchronous=asynchronous), rank=0, ranks=1)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            checkpoints.save(state(3), meta(3), TOKENIZER)
            checkpoints.finish()
        except CheckpointError as error:
            said.append(str(error))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        assert is_whole(out) == 2
        assert sorted(path.name for path in (out / "checkpoints").iterdir())[1:] == [
            "step-0000000001",
            "step-0000000002",
        ]
    save(out, 3, asynchronous=asynchronous)
    assert is_whole(out) == 3
    return said


def run_cases(_number: int, folder: Path, cases: Sequence[str]) -> None:
    """Run cases by name; write what they found as JSON."""
    torch.set_num_threads(1)
    run_of(folder / "pristine", 1, 2)
    found: dict[str, Any] = {}
    for case in cases:
        kind, way, *rest = case.split("-")
        asynchronous = way == "async"
        if kind in ("sweep", "again"):
            scratch = folder / case
            shutil.copytree(folder / "pristine", scratch / "pristine")
            found[case] = sweep(scratch, int(rest[0]), asynchronous=asynchronous, again=kind == "again")
        elif kind == "full":
            found[case] = full(folder / case, asynchronous=asynchronous)
        elif kind == "ranks":
            (folder / case).mkdir()
            found[case] = ranks_killed(folder / case, int(rest[0]))
        else:
            scratch = folder / case
            shutil.copytree(folder / "pristine", scratch / "pristine")
            found[case] = at_random(scratch, int(kind), asynchronous=asynchronous)
    (folder / "found.json").write_text(json.dumps(found))
