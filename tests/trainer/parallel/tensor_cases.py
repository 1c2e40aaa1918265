"""What test_tensor.py runs in several processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor

from lauter.trainer.batch import IGNORE
from lauter.trainer.checkpoint.agreement import Agreement
from lauter.trainer.checkpoint.error import CheckpointError
from lauter.trainer.checkpoint.replicas import require_equal_replicas
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.loop.step import gradient
from lauter.trainer.loss.cross_entropy import linear_cross_entropy, token_losses
from lauter.trainer.loss.vocabulary import Share
from lauter.trainer.parallel.axes import TENSOR
from lauter.trainer.parallel.ranks import Ranks
from lauter.trainer.parallel.tensor.collectives import Group
from lauter.trainer.parallel.tensor.copies import SummedCopies
from lauter.trainer.parallel.tensor.pieces import Piece, kind, pieces
from tests.trainer.parallel.cases import keep
from tests.trainer.parallel.proof import SHALLOW, SHAPE, WINDOWS, laid_out, prove, whole, windows

TWO = {
    "tensor-2": (ParallelSection(tensor=2), 4),
    "not-sequence": (ParallelSection(tensor=2, sequence=False, recompute="selective"), WINDOWS),
    "not-vocabulary": (ParallelSection(tensor=2, vocabulary=False, recompute="full"), WINDOWS),
}
FOUR = {
    "tensor-4": (ParallelSection(tensor=4, recompute="full"), WINDOWS),
    "with-fsdp": (ParallelSection(tensor=2, shard=2), 2),
    "with-hsdp": (ParallelSection(tensor=2, replicate=2, sequence=False, vocabulary=False), 4),
}
"""Layout by name, and how many windows a micro-batch has."""

PARTIAL = sorted(key for key, piece in pieces(SHAPE, ParallelSection(tensor=2)).items() if piece is Piece.summed)
"""Copied parameters of which each rank has a part of the gradient."""

IDS, WIDTH, PLACES = 96, 8, 70


def two(ranks: Ranks, folder: Path) -> None:
    """On two ranks."""
    for name, (section, micro) in TWO.items():
        keep(ranks, folder, name, prove(ranks, section, micro, SHALLOW))
    keep(ranks, folder, "left-out", left_out(ranks))
    keep(ranks, folder, "strange-id", strange_id(ranks))
    keep(ranks, folder, "bf16", one_step(ranks, ParallelSection(tensor=2, recompute="full"), "bf16"))
    for name in ("float64", "float32", "bfloat16"):
        keep(ranks, folder, f"loss-{name}", shared_loss(ranks, getattr(torch, name)))


def four(ranks: Ranks, folder: Path) -> None:
    """On four: more ranks than key heads, and weights that are shared along two axes."""
    for name, (section, micro) in FOUR.items():
        keep(ranks, folder, name, prove(ranks, section, micro, SHALLOW))


def left_out(ranks: Ranks) -> dict[str, str]:
    """By kind of parameter: what is said of the gradients of a step where only those of this kind were not summed."""
    model, passes, optimizer, grid = laid_out(ranks, ParallelSection(tensor=2), "fp64")
    tensor = grid.along(TENSOR)
    assert tensor is not None
    bare, group = cast(SummedCopies, passes)._passes, Group.of(tensor.get_group())
    agreement = Agreement(ranks.rank, ranks.count)
    said = {}
    for key in PARTIAL:
        names = [name for name, _ in model.named_parameters() if kind(name) in PARTIAL and kind(name) != key]
        optimizer.zero_grad()
        batches = [windows(range(WINDOWS))]
        gradient(SummedCopies(bare, model, names, group), optimizer, batches, z_loss=1e-3, axes=grid)
        found = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
        try:
            require_equal_replicas(found, agreement)
        except CheckpointError as error:
            said[key] = str(error)
    return said


def strange_id(ranks: Ranks) -> str:
    """What is said of a token that no rank's share of the embedding has."""
    model, *_ = laid_out(ranks, ParallelSection(tensor=2), "fp32")
    batch = windows(range(1))
    batch.tokens[3] = SHAPE.vocabulary
    try:
        model.loss(batch, 1.0)
    except IndexError as error:
        return str(error)
    return ""


def one_step(ranks: Ranks, section: ParallelSection, precision: Literal["bf16", "fp32"]) -> dict[str, Any]:
    """Loss, norm and gradients."""
    model, passes, optimizer, grid = laid_out(ranks, section, precision)
    figures = gradient(passes, optimizer, [windows(range(WINDOWS))], z_loss=1e-3, axes=grid)
    found = {name: whole(one.grad).float() for name, one in model.named_parameters() if one.grad is not None}
    return {"loss": figures.loss, "norm": figures.norm, "gradients": found}


def compiled(ranks: Ranks, folder: Path) -> None:
    """One step of compiled layers, messages included."""
    keep(ranks, folder, "compiled", one_step(ranks, ParallelSection(tensor=ranks.count, compile=True), "fp32"))


def loss_inputs(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Hidden states, weight of all ids, and labels, some of them `IGNORE`."""
    draw = torch.Generator().manual_seed(5)
    hidden = torch.randn(PLACES, WIDTH, generator=draw, dtype=torch.float64).to(dtype)
    weight = torch.randn(IDS, WIDTH, generator=draw, dtype=torch.float64).to(dtype)
    labels = torch.randint(IDS, (PLACES,), generator=draw)
    labels[::7] = IGNORE
    return hidden, weight, labels


def shared_loss(ranks: Ranks, dtype: torch.dtype) -> dict[str, Tensor]:
    """Terms and gradients where each rank has some ids; gradients of the hidden states are summed here."""
    hidden, weight, labels = loss_inputs(dtype)
    count = IDS // ranks.count
    group = cast(torch.distributed.ProcessGroup, torch.distributed.group.WORLD)
    share = Share(ranks.rank * count, count, IDS, group)
    mine = weight[share.first : share.first + count].clone().requires_grad_()
    hidden.requires_grad_()
    terms = linear_cross_entropy(hidden, mine, labels, normaliser=33.0, z_loss=1e-2, share=share)
    terms.total.backward()
    losses = token_losses(hidden, mine, labels, share=share)
    assert hidden.grad is not None
    assert mine.grad is not None
    states = hidden.grad.double()
    torch.distributed.all_reduce(states)
    rows = torch.zeros(IDS, WIDTH, dtype=torch.float64)
    rows[share.first : share.first + count] = mine.grad
    torch.distributed.all_reduce(rows)
    return {
        "total": terms.total.detach(),
        "nll": terms.nll,
        "z": terms.z,
        "hidden": states,
        "weight": rows,
        "losses": losses,
    }
