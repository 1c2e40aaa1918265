"""Four ranks of a real layout that save in the background and are killed: test_killed.py runs it through killed.py."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import torch
from torch import Tensor

from lauter.trainer.checkpoint.dcp_read import SavedTensors
from lauter.trainer.checkpoint.read import open_checkpoint
from lauter.trainer.loop.state import load, tensors
from lauter.trainer.optimizer.part import local
from lauter.trainer.parallel.ranks import join
from tests.trainer.checkpoint.layouts import PIPELINE_TENSOR, SHAPE, at, made
from tests.trainer.checkpoint.state import TOKENIZER, meta

RANKS = 4


def saves(folder: Path, rank: int, attempt: int) -> None:
    """Go on from the last whole checkpoint, and save step after step, every number of which is the step's."""
    torch.set_num_threads(1)
    ranks = join(rank, RANKS, torch.device("cpu"), f"file://{folder}/group{attempt}")
    model, optimizer = made(ranks, PIPELINE_TENSOR)
    state = at(folder / "run", ranks, (model, optimizer))
    latest = state.checkpoints.latest()
    step = 0
    if latest is not None:
        load(state.checkpoints, latest, model, optimizer)
        step = latest.meta["progress"]["step"]
        assert all(bool((local(one) == step).all()) for one in tensors(model, optimizer).values())
    (folder / f"ready{attempt}-{rank}").touch()
    live = [local(one) for one in tensors(model, optimizer).values()]
    while True:
        step += 1
        with torch.no_grad():
            for one in live:
                one.fill_(step)
        state.checkpoints.save(tensors(model, optimizer), meta(step), TOKENIZER)


def whole_step(out: Path) -> int:
    """The step of the checkpoint that LATEST names, all of whose tensors are of that step."""
    checkpoint = open_checkpoint(out)
    step: int = checkpoint.meta["progress"]["step"]
    saved = SavedTensors(checkpoint.path)
    found: dict[str, Tensor] = {name: torch.empty(entry.size) for name, entry in saved.index.items()}
    saved.fill(found)
    # Weight and three moments each.
    assert len(found) == 4 * (12 * SHAPE.layers + 3)
    assert all(bool((one == step).all()) for one in found.values())
    return step


def ranks_killed(folder: Path, times: int) -> list[int]:
    """Each time one rank is killed at a random moment, then the others; the step that LATEST named after each."""
    chance = random.Random(28)
    steps = []
    for attempt in range(times):
        children = []
        for rank in range(RANKS):
            child = os.fork()
            if child == 0:
                # A rank whose peers are gone fails in a message, and says so where nobody reads it.
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                try:
                    saves(folder, rank, attempt)
                finally:
                    os._exit(1)
            children.append(child)
        # Not before there is a checkpoint to fall back to.
        awaited = [folder / "run/checkpoints/LATEST", *(folder / f"ready{attempt}-{rank}" for rank in range(RANKS))]
        while not all(path.exists() for path in awaited):
            time.sleep(0.01)
            assert os.waitpid(-1, os.WNOHANG)[0] == 0, "a rank failed before it was killed"
        time.sleep(chance.uniform(0.0, 0.5))
        victims = chance.sample(children, RANKS)
        for number, child in enumerate(victims):
            os.kill(child, signal.SIGKILL)
            if number == 0:
                time.sleep(0.1)
        assert os.WIFSIGNALED(os.waitpid(victims[0], 0)[1])
        for child in victims[1:]:
            os.waitpid(child, 0)
        steps.append(whole_step(folder / "run"))
    return steps
