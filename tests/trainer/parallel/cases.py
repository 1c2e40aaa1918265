"""What is compared between one process and several."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.distributed.tensor import DTensor

from lauter.trainer.batch import Batch
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.config.sections import RunSection
from lauter.trainer.config.watching import SamplingSection
from lauter.trainer.generate.tokenizer import text_tokenizer
from lauter.trainer.loop.enter import Wanted
from lauter.trainer.loop.run import train_on
from lauter.trainer.loop.sample import Prompts, continuations
from lauter.trainer.loop.signals import Signals
from lauter.trainer.loop.state import tensors
from lauter.trainer.loop.step import gradient
from lauter.trainer.loop.validate import validate
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.parallel.axes import Axes
from lauter.trainer.parallel.passes import Passes
from lauter.trainer.parallel.ranks import Ranks
from tests.trainer.loop.language import quiet, section
from tests.trainer.parallel.proof import LANGUAGES, SHAPE, WINDOWS, laid_out, prove, whole, windows


def bf16(ranks: Ranks) -> dict[str, Any]:
    """Loss and norm of one step in bf16, and of the parameters what is kept of them."""
    model, passes, optimizer, grid = laid_out(ranks, ParallelSection(recompute="full"), "bf16")
    share = WINDOWS // ranks.count
    batches = [windows(range(ranks.rank * share, (ranks.rank + 1) * share))]
    figures = gradient(passes, optimizer, batches, z_loss=0.0, axes=grid)
    optimizer.step(1e-3, figures.norm)
    return {
        "loss": figures.loss,
        "norm": figures.norm,
        "held": {parameter.dtype for parameter in model.parameters()},
        "weights": {name: whole(one) for name, one in tensors(model, optimizer).items()},
    }


def after_errors(model: Apertus, passes: Passes, grid: Axes) -> list[bool]:
    """Whether all parameters are shards after a validation and a sampling that failed between two passes."""

    def batches() -> Iterator[Batch]:
        yield windows(range(2))
        raise EOFError

    found = []
    with contextlib.suppress(EOFError):
        validate(model, passes, batches(), LANGUAGES, grid)
    found.append(all(isinstance(one, DTensor) for one in model.parameters()))
    far = prompts()
    far.ids[0][-1] = SHAPE.vocabulary
    with contextlib.suppress(ValueError):
        continuations(model, far, seed=3)
    found.append(all(isinstance(one, DTensor) for one in model.parameters()))
    return found


def four(ranks: Ranks, folder: Path) -> None:
    """On four ranks: shared by all, and two copies that are each shared by two."""
    for name, how, micro in (
        ("fsdp-4", ParallelSection(), 1),
        ("hsdp-2x2", ParallelSection(replicate=2), 2),
        ("hsdp-4x1", ParallelSection(replicate=4), 2),
    ):
        keep(ranks, folder, name, prove(ranks, how, micro))


def two(ranks: Ranks, folder: Path) -> None:
    """On two ranks: bf16, a signal to one of them, continuations, and the first part of a run that one process ends."""
    keep(ranks, folder, "fsdp-2", prove(ranks, ParallelSection(), 2))
    keep(ranks, folder, "bf16", bf16(ranks))
    with Signals(speaks=False) as signals:
        if ranks.rank == 1:
            os.kill(os.getpid(), signal.SIGUSR1)
        keep(ranks, folder, "signal", signals.agreed(ranks))
    model, passes, _, grid = laid_out(ranks, ParallelSection(), "fp32")
    keep(ranks, folder, "continuations", continuations(model, prompts(), seed=3))
    keep(ranks, folder, "after-errors", after_errors(model, passes, grid))
    train_on(ranks, run(folder, 4), folder / "run", wanted=Wanted(), console=quiet())
    changes = {"precision": "bf16", "sampling": SamplingSection(prompts=("t20",), every_steps=1, new_tokens=2)}
    train_on(ranks, run(folder, 2).model_copy(update=changes), folder / "bf16", wanted=Wanted(), console=quiet())
    keep(ranks, folder, "run", {})


def run(folder: Path, steps: int) -> RunSection:
    """A run over the language in `folder`, in fp64."""
    return section(
        folder / "language",
        steps,
        precision="fp64",
        data={"hold_out_shards": 1, "goldfish": {"k": 5, "h": 3}},
        batch={"sequences": 8, "micro": 4},
        validation={"every_steps": 4, "sequences": 8},
        checkpoint={"every_steps": 4, "asynchronous": True},
    )


def prompts() -> Prompts:
    """Two, of different lengths."""
    words = {f"t{index}": index for index in range(SHAPE.vocabulary)}
    model = {"type": "WordLevel", "vocab": words, "unk_token": "t0"}
    tokenizer = text_tokenizer({"tokenizer.json": json.dumps({"model": model}).encode()}, bos=1, ends=frozenset({2}))
    return Prompts(SamplingSection(prompts=("a", "b"), new_tokens=6), tokenizer, [[1, 30], [1, 40, 41, 42]])


def keep(ranks: Ranks, folder: Path, name: str, found: Any) -> None:  # noqa: ANN401 - whatever was found
    """For the test to read: what the last rank found, as all must have the same."""
    if ranks.rank == ranks.count - 1:
        torch.save(found, folder / f"{name}.pt")
