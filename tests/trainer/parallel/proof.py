"""The proof of a layout: loss, norm and every gradient equal to those of one process, and copies equal to the bit.

In fp64 and with plain gradient descent: AdamW would hide the scale of a gradient, and fp32 noise an error of it.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor

from lauter.trainer.batch import IGNORE, Batch, Bounds
from lauter.trainer.checkpoint.agreement import Agreement
from lauter.trainer.checkpoint.replicas import require_equal_replicas
from lauter.trainer.config.lora import LoraSection
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.config.sections import OptimizerSection
from lauter.trainer.loop.state import begin
from lauter.trainer.loop.step import Figures, gradient
from lauter.trainer.loop.validate import validate
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.initialise import first_values
from lauter.trainer.model.low_rank import add_low_rank
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.optimizer.optimizer import Optimizer
from lauter.trainer.parallel.axes import PIPELINE, Axes, axes
from lauter.trainer.parallel.passes import Passes
from lauter.trainer.parallel.plan import compute_dtype, held_dtype, lay_out
from lauter.trainer.parallel.ranks import Ranks

ALONE = Axes(Ranks(0, 1, torch.device("cpu")), None, None)
SHAPE = ModelShape(4, 32, 96, 4, 2, 8, 128, 64, init_std=0.05)
"""Four layers, so that four stages have one each; four query heads over two of keys."""
SHALLOW = replace(SHAPE, layers=2)
"""For layouts that cut no layer from another: what ranks say to each other is the same in all layers."""
WINDOWS, LENGTH, STEPS = 8, 16, 5
LANGUAGES = ("deu_Latn", "fra_Latn")
RATE = 0.1
"""On windows with few or no labels, steps of 0.5 made of rounding errors of 1e-16 some of 1e-13; these leave 1e-15."""


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


def laid_out(
    ranks: Ranks,
    section: ParallelSection,
    precision: Literal["bf16", "fp32", "fp64"],
    shape: ModelShape = SHAPE,
    lora: LoraSection | None = None,
) -> tuple[Apertus, Passes, Optimizer, Axes]:
    """As a run makes them, with first values; low-rank parts with others than 0."""
    grid = axes(ranks, section)
    held = held_dtype(precision, grid)
    model = Apertus(shape, device="meta", dtype=held if lora is None else compute_dtype(precision))
    if lora is not None:
        add_low_rank(model, lora, dtype=held)
    passes = lay_out(model, section, grid, precision, tell=print)
    model.to_empty(device="cpu")
    stages = grid.along(PIPELINE)
    group = None if stages is None else stages.get_group()
    trained = [(name, one) for name, one in model.named_parameters() if one.requires_grad]
    optimizer = Optimizer(trained, OptimizerSection(name="adamw"), group)
    begin(model, optimizer, seed=7)
    if lora is not None:
        _fill_low_rank(model)
    return model, passes, optimizer, grid


@torch.no_grad()
def _fill_low_rank(model: Apertus) -> None:
    """While B is 0, A has no gradient."""
    for name, parameter in model.named_parameters():
        if name.endswith(".lora_b"):
            full = first_values(f"{name}.proj", parameter.shape, model.shape, 8).to(parameter.dtype)
            if isinstance(parameter, DTensor):
                full = distribute_tensor(full, parameter.device_mesh, parameter.placements, src_data_rank=None)
            parameter.copy_(full)


def whole(tensor: Tensor) -> Tensor:
    """The full tensor, gathered by all ranks."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor.clone()


def prove(
    ranks: Ranks, section: ParallelSection, micro: int, shape: ModelShape = SHAPE, lora: LoraSection | None = None
) -> dict[str, Any]:
    """Five steps of plain gradient descent: every loss, norm and full gradient, and the held-out loss at the end."""
    model, passes, optimizer, grid = laid_out(ranks, section, "fp64", shape, lora)
    found: dict[str, Any] = {"loss": [], "nll": [], "norm": [], "targets": [], "context": [], "gradient": []}
    share = WINDOWS // grid.data_ranks
    for step in range(STEPS):
        first = step * WINDOWS + grid.data_rank * share
        batches = [windows(range(at, at + micro)) for at in range(first, first + share, micro)]
        figures = gradient(passes, optimizer, batches, z_loss=1e-3, axes=grid)
        require_one_verdict(ranks, figures)
        for key in ("loss", "nll", "norm", "targets", "context"):
            found[key].append(getattr(figures, key))
        gradients = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
        found["gradient"].append(of_all_stages(ranks, {name: whole(one) for name, one in gradients.items()}))
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if parameter.requires_grad:
                    parameter.sub_(gradients[name], alpha=RATE)
        optimizer.zero_grad()
        # Bit by bit between all ranks that hold the same piece: raises where copies have drifted apart.
        require_equal_replicas(dict(model.named_parameters()), Agreement(ranks.rank, ranks.count))
    first = grid.data_rank * share
    held_out = [windows(range(at, at + micro)) for at in range(first, first + share, micro)]
    found["held_out"] = validate(model, passes, iter(held_out), LANGUAGES, grid).to_json()
    return found


def require_one_verdict(ranks: Ranks, figures: Figures) -> None:
    """What a step is judged by is the same to the bit on all ranks: else one would leave out what others apply."""
    if ranks.count > 1:
        every: list[Any] = [None] * ranks.count
        dist.all_gather_object(every, figures)
        assert all(one == figures for one in every), every


def of_all_stages(ranks: Ranks, mine: dict[str, Tensor]) -> dict[str, Tensor]:
    """The gradients of all ranks: stages of a pipeline have different ones."""
    if ranks.count == 1:
        return mine
    every: list[Any] = [None] * ranks.count
    # Arrays: to pickle 51 tensors takes torch 20 ms, and 20 more to read them again.
    dist.all_gather_object(every, {name: tensor.numpy() for name, tensor in mine.items()})
    found: dict[str, NDArray[np.float64]] = {}
    for one in every:
        for name, array in one.items():
            assert name not in found or np.array_equal(found[name], array), f"{name} differs between ranks"
            found[name] = array
    return {name: torch.from_numpy(array) for name, array in found.items()}


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Of two proofs: the losses, norms and gradients of every step within 1e-12, and the rest."""
    assert one["targets"] == other["targets"]
    for key in ("loss", "nll", "norm", "context"):
        assert one[key] == pytest.approx(other[key], rel=1e-12, abs=1e-12), key
    assert one["held_out"]["targets"] == other["held_out"]["targets"]
    assert one["held_out"]["unigram_entropy"] == pytest.approx(other["held_out"]["unigram_entropy"], rel=1e-12)
    # Losses of single tokens are fp32.
    assert one["held_out"]["languages"] == pytest.approx(other["held_out"]["languages"], rel=1e-6)
    for before, after in zip(one["gradient"], other["gradient"], strict=True):
        assert before.keys() == after.keys()
        for name, expected in before.items():
            scale = expected.abs().max()
            assert scale > 0, name
            assert (after[name] - expected).abs().max() <= 1e-12 * max(1.0, float(scale)), name
