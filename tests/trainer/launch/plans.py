"""Runs that are killed at random moments and go on with other ranks in other layouts; run by test_plans.py.

All ranks are forks of one process that has imported torch, which takes longer than most of their lives.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.config.sections import RunSection
from lauter.trainer.loop.enter import Wanted
from lauter.trainer.loop.run import train_on
from lauter.trainer.parallel.ranks import Ranks, join, leave
from tests.trainer.checkpoint.killed import kill_at
from tests.trainer.loop.language import quiet, section, write_language

STEPS = 14
LAYOUTS: dict[int, list[dict[str, Any]]] = {
    1: [{}],
    2: [{}, {"replicate": 2}, {"context": 2}, {"tensor": 2}, {"pipeline": 2}],
    4: [{}, {"replicate": 2}, {"context": 2}, {"tensor": 2}, {"pipeline": 2, "tensor": 2}, {"pipeline": 2}],
}
MODEL = {
    "preset": "nano",
    "layers": 2,
    "hidden": 32,
    "feed_forward": 64,
    "heads": 2,
    "kv_heads": 2,
    "head_dim": 16,
    "init_std": 0.1,
}


@dataclass(frozen=True)
class Leg:
    """One start of the run, up to its end or to a kill."""

    ranks: int
    layout: dict[str, Any]
    victim: int
    """The rank that is killed."""
    steps: int | None
    """It is killed so many steps on, and a moment."""
    moment: float
    """Seconds."""
    change: int | None
    """It is killed before its n-th change of the folder of checkpoints."""


def plan(seed: int) -> list[Leg]:
    """Two to four legs that are killed."""
    chance = random.Random(seed)
    found = []
    for _ in range(chance.randint(2, 4)):
        ranks = chance.choice([1, 2, 2, 4])
        saves = chance.random() < 0.4
        found.append(
            Leg(
                ranks=ranks,
                layout=chance.choice(LAYOUTS[ranks]),
                # Most of a save is the first rank's.
                victim=0 if saves else chance.randrange(ranks),
                steps=None if saves else chance.randint(0, 6),
                moment=chance.uniform(0.0, 0.05),
                change=chance.randint(1, 40) if saves else None,
            )
        )
    return found


def toy(corpus: Path, *, asynchronous: bool) -> RunSection:
    """Every step is noted, every third one saved."""
    return section(
        corpus,
        STEPS,
        precision="fp64",
        model=MODEL,
        batch={"sequences": 8, "micro": 2},
        checkpoint={"every_steps": 3, "keep": 2, "asynchronous": asynchronous},
    )


def fork(act: Callable[[], None], log: Path) -> int:
    """A child that ends with 0, or with 1 and a traceback in its log."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            act()
            code = 0
        except BaseException:
            log.write_text(traceback.format_exc())
        finally:
            os._exit(code)
    return child


def lines(out: Path) -> list[dict[str, Any]]:
    """Of the steps; the last one may be half written."""
    path = out / "metrics.jsonl"
    whole = path.read_text().split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in whole]


def once(run: RunSection, out: Path, folder: Path, leg: Leg, *, kills: bool) -> list[int]:
    """Start all ranks of a leg and see them end; their exit statuses. The first to fail takes the others along."""
    folder.mkdir(parents=True)
    changed = run.model_copy(update={"parallel": ParallelSection.model_validate(leg.layout)})

    def rank_of(rank: int) -> Callable[[], None]:
        def act() -> None:
            torch.set_num_threads(1)
            cpu = torch.device("cpu")
            ranks = Ranks(0, 1, cpu) if leg.ranks == 1 else join(rank, leg.ranks, cpu, f"file://{folder}/group")
            if kills and leg.change is not None and rank == leg.victim:
                kill_at(out / "checkpoints", leg.change)
            train_on(ranks, changed, out, wanted=Wanted(), console=quiet())
            leave(ranks)

        return act

    begin = len(lines(out))
    children = [fork(rank_of(rank), folder / f"{rank}.log") for rank in range(leg.ranks)]
    left, found, due = dict(enumerate(children)), [0] * leg.ranks, None
    while left:
        time.sleep(0.005)
        if kills and leg.steps is not None and leg.victim in left:
            if due is None and len(lines(out)) >= min(begin + leg.steps, STEPS):
                due = time.monotonic() + leg.moment
            if due is not None and time.monotonic() >= due:
                os.kill(left[leg.victim], signal.SIGKILL)
        for rank, child in list(left.items()):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                del left[rank]
                found[rank] = status
                if status:
                    for other in left.values():
                        os.kill(other, signal.SIGKILL)
    return found


def sequence(out: Path) -> list[tuple[int, int, float]]:
    """What a run computed."""
    return [(line["step"], line["samples"], line["loss"]) for line in lines(out)]


def carry_out(corpus: Path, folder: Path, seed: int) -> dict[str, Any]:
    """A plan from start to end: what was computed, and how many legs a kill ended."""
    run, out = toy(corpus, asynchronous=seed % 2 == 1), folder / "run"
    legs = plan(seed)
    killed = 0
    for number, leg in enumerate(legs):
        statuses = once(run, out, folder / f"leg{number}", leg, kills=True)
        struck = any(os.WIFSIGNALED(status) for status in statuses)
        if any(statuses) and not struck:
            raise AssertionError(f"{leg}: " + "".join(log.read_text() for log in folder.glob(f"leg{number}/*.log")))
        killed += struck
    last = Leg(legs[0].ranks, legs[0].layout, 0, None, 0.0, None)
    statuses = once(run, out, folder / "last", last, kills=False)
    if any(statuses):
        raise AssertionError(f"{last}: " + "".join(log.read_text() for log in folder.glob("last/*.log")))
    return {"killed": killed, "sequence": sequence(out)}


def carry_out_all(_number: int, folder: Path, seeds: range) -> None:
    """The run without any disturbance, then a plan a seed; all that was computed, as JSON in a file."""
    corpus = folder / "corpus"

    def write() -> None:
        write_language(corpus)

    # In a child: the threads of Arrow that write it would not live on in a fork.
    os.waitpid(fork(write, folder / "corpus.log"), 0)
    calm = Leg(1, {}, 0, None, 0.0, None)
    assert once(toy(corpus, asynchronous=False), folder / "calm", folder / "alone", calm, kills=False) == [0], (
        folder / "alone/0.log"
    ).read_text()
    found: dict[str, Any] = {"calm": sequence(folder / "calm")}
    for seed in seeds:
        found[str(seed)] = carry_out(corpus, folder / str(seed), seed)
    (folder / "found.json").write_text(json.dumps(found))
