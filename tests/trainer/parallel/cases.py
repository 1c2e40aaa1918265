"""What is compared between one process and several."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from lauter.trainer.batch import IGNORE, Batch, Bounds
from lauter.trainer.config.sections import OptimizerSection, ParallelSection, RunSection, SamplingSection
from lauter.trainer.generate.tokenizer import text_tokenizer
from lauter.trainer.loop.enter import Wanted
from lauter.trainer.loop.run import train_on
from lauter.trainer.loop.sample import Prompts, continuations
from lauter.trainer.loop.signals import Signals
from lauter.trainer.loop.state import begin, tensors
from lauter.trainer.loop.step import gradient
from lauter.trainer.loop.validate import validate
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.optimizer.optimizer import Optimizer
from lauter.trainer.parallel.mesh import mesh
from lauter.trainer.parallel.plan import held_dtype, lay_out
from lauter.trainer.parallel.ranks import Ranks
from tests.trainer.loop.language import quiet, section

SHAPE = ModelShape(2, 32, 96, 4, 2, 8, 128, 64, init_std=0.05)
WINDOWS, LENGTH, STEPS = 8, 16, 3
LANGUAGES = ("deu_Latn", "fra_Latn")


def windows(numbers: range) -> Batch:
    """Windows by number: some documents each, and labels that are missing in very different numbers."""
    tokens: list[int] = []
    labels: list[int] = []
    positions: list[int] = []
    lengths: list[int] = []
    languages: list[int] = []
    for number in numbers:
        generator = random.Random(number)
        left = LENGTH
        while left:
            length = min(left, generator.randrange(2, 12))
            ids = [generator.randrange(SHAPE.vocabulary) for _ in range(length)]
            tokens += ids
            kept = [one if generator.random() > 0.12 * (number % 8) else IGNORE for one in ids[1:]]
            labels += [*kept, IGNORE]
            positions += range(length)
            languages += [generator.randrange(-1, 2)] * length
            lengths.append(length)
            left -= length
    return Batch(
        torch.tensor(tokens),
        torch.tensor(labels),
        torch.tensor(positions, dtype=torch.int32),
        Bounds.of(lengths),
        torch.tensor(languages, dtype=torch.int16),
        sum(label != IGNORE for label in labels),
        0,
    )


def model_and_optimizer(
    ranks: Ranks, section: ParallelSection, precision: Literal["bf16", "fp32", "fp64"]
) -> tuple[Apertus, Optimizer]:
    """As a run makes them, with first values."""
    grid = mesh(ranks, section)
    model = Apertus(SHAPE, device="meta", dtype=held_dtype(precision, grid))
    lay_out(model, section, grid, precision, device=ranks.device, tell=print)
    model.to_empty(device="cpu")
    optimizer = Optimizer(model.named_parameters(), OptimizerSection(name="adamw"))
    begin(model, optimizer, seed=7)
    return model, optimizer


def bf16(ranks: Ranks) -> dict[str, Any]:
    """Loss and norm of one step in bf16, and of the parameters what is kept of them."""
    model, optimizer = model_and_optimizer(ranks, ParallelSection(recompute="full"), "bf16")
    share = WINDOWS // ranks.count
    figures = gradient(
        model, optimizer, [windows(range(ranks.rank * share, (ranks.rank + 1) * share))], z_loss=0.0, ranks=ranks
    )
    optimizer.step(1e-3, figures.norm)
    return {
        "loss": figures.loss,
        "norm": figures.norm,
        "held": {parameter.dtype for parameter in model.parameters()},
        "weights": {name: whole(one) for name, one in tensors(model, optimizer).items()},
    }


def sgd(ranks: Ranks, section: ParallelSection, micro: int) -> dict[str, Any]:
    """Plain gradient descent, as it hides nothing of a gradient's scale (AdamW would): every loss, norm, gradient."""
    model, optimizer = model_and_optimizer(ranks, section, "fp64")
    found: dict[str, Any] = {"loss": [], "norm": [], "targets": [], "gradient": []}
    share = WINDOWS // ranks.count
    for step in range(STEPS):
        first = step * WINDOWS + ranks.rank * share
        batches = [windows(range(at, at + micro)) for at in range(first, first + share, micro)]
        figures = gradient(model, optimizer, batches, z_loss=1e-3, ranks=ranks)
        found["loss"].append(figures.loss)
        found["norm"].append(figures.norm)
        found["targets"].append(figures.targets)
        gradients = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
        found["gradient"].append({name: whole(one) for name, one in gradients.items()})
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.sub_(gradients[name], alpha=0.5)
        optimizer.zero_grad()
    held_out = validate(
        model,
        iter([windows(range(at, at + micro)) for at in range(ranks.rank * share, (ranks.rank + 1) * share, micro)]),
        LANGUAGES,
        ranks,
    )
    found["held_out"] = held_out.to_json()
    return found


def after_errors(ranks: Ranks, model: Apertus) -> list[bool]:
    """Whether all parameters are shards after a validation and a sampling that failed between two passes."""

    def batches() -> Iterator[Batch]:
        yield windows(range(2))
        raise EOFError

    found = []
    with contextlib.suppress(EOFError):
        validate(model, batches(), LANGUAGES, ranks)
    found.append(all(isinstance(one, DTensor) for one in model.parameters()))
    far = prompts()
    far.ids[0][-1] = SHAPE.vocabulary
    with contextlib.suppress(ValueError):
        continuations(model, far, seed=3)
    found.append(all(isinstance(one, DTensor) for one in model.parameters()))
    return found


def whole(tensor: Tensor) -> Tensor:
    """The full tensor, gathered by all ranks."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor.clone()


def four(ranks: Ranks, folder: Path) -> None:
    """On four ranks: shared by all, and two copies that are each shared by two."""
    for name, how, micro in (
        ("fsdp-4", ParallelSection(), 1),
        ("hsdp-2x2", ParallelSection(replicate=2), 2),
        ("hsdp-4x1", ParallelSection(replicate=4), 2),
    ):
        keep(ranks, folder, name, sgd(ranks, how, micro))


def two(ranks: Ranks, folder: Path) -> None:
    """On two ranks: bf16, a signal to one of them, continuations, and the first part of a run that one process ends."""
    keep(ranks, folder, "fsdp-2", sgd(ranks, ParallelSection(), 2))
    keep(ranks, folder, "bf16", bf16(ranks))
    with Signals(speaks=False) as signals:
        if ranks.rank == 1:
            os.kill(os.getpid(), signal.SIGUSR1)
        keep(ranks, folder, "signal", signals.agreed(ranks))
    model, _ = model_and_optimizer(ranks, ParallelSection(), "fp32")
    keep(ranks, folder, "continuations", continuations(model, prompts(), seed=3))
    keep(ranks, folder, "after-errors", after_errors(ranks, model))
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
