"""What ranks that share tokens find, for comparison with one process."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor

from lauter.trainer.attention.attention import Attend, attention
from lauter.trainer.batch import Batch, Bounds
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.config.sections import OptimizerSection
from lauter.trainer.loop.sample import continuations
from lauter.trainer.loop.state import begin
from lauter.trainer.loop.step import gradient
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.optimizer.optimizer import Optimizer
from lauter.trainer.parallel.axes import axes
from lauter.trainer.parallel.context.attend import context_attention
from lauter.trainer.parallel.context.split import part_of, take
from lauter.trainer.parallel.plan import held_dtype, lay_out
from lauter.trainer.parallel.ranks import Ranks
from tests.trainer.parallel.cases import keep, prompts
from tests.trainer.parallel.proof import SHALLOW, SHAPE, WINDOWS, laid_out, prove, whole, windows

Kind = Literal["all-gather", "ulysses", "ring"]
KINDS: tuple[Kind, ...] = ("all-gather", "ulysses", "ring")


def two(ranks: Ranks, folder: Path) -> None:
    """On two ranks: the kinds, with one window and with several to a micro-batch."""
    for section, micro in (
        (ParallelSection(context=2), 1),
        (ParallelSection(context=2, context_kind="ulysses"), 4),
        (ParallelSection(context=2, context_kind="ring"), 8),
    ):
        kind = section.context_kind
        keep(ranks, folder, f"{kind}-2", prove(ranks, section, micro, SHALLOW))
        keep(ranks, folder, f"{kind}-2-apart", against_whole_attention(ranks, kind))
    model, _, _, _ = laid_out(ranks, ParallelSection(context=2), "fp32")
    keep(ranks, folder, "continuations", continuations(model, prompts(), seed=3))
    keep(ranks, folder, "bf16", {kind: bf16(ranks, kind) for kind in KINDS})


def four(ranks: Ranks, folder: Path) -> None:
    """On four ranks: the kinds, and together with shards and copies of the weights."""
    for name, section, micro in (
        ("all-gather-4", ParallelSection(context=4), 4),
        ("ulysses-4", ParallelSection(context=4, context_kind="ulysses"), 4),
        ("ring-4", ParallelSection(context=4, context_kind="ring"), 4),
        ("shard", ParallelSection(context=2, shard=2, context_kind="ring", recompute="full"), 2),
        ("replicate", ParallelSection(context=2, replicate=2, context_kind="ulysses", recompute="selective"), 4),
    ):
        keep(ranks, folder, name, prove(ranks, section, micro, SHALLOW))
    for kind in KINDS:
        keep(ranks, folder, f"{kind}-4-apart", against_whole_attention(ranks, kind))


def lengths_of(seed: int, chunks: int) -> list[int]:
    """Documents of a packed sequence that can be cut into so many chunks of at most 16 tokens."""
    generator = random.Random(seed)
    chunk = generator.randint(1, 16)
    left = tokens = chunk * chunks
    shape = seed % 5
    if shape < 3:
        fixed = {0: tokens, 1: 1, 2: chunk}[shape]
        return [fixed] * (tokens // fixed)
    found = []
    longest = tokens if shape == 3 else max(tokens // 4, 1)
    while left:
        found.append(min(left, generator.randint(1, longest)))
        left -= found[-1]
    return found


def against_whole_attention(ranks: Ranks, kind: Kind) -> list[tuple[list[int], float]]:
    """Documents of every case, and the largest error of this and other ranks: result, gradients of q, k and v; fp64."""
    group = dist.group.WORLD
    assert group is not None
    attend = context_attention(kind, group)
    found = []
    for seed in range(30):
        lengths = lengths_of(seed, 2 * ranks.count)
        heads, kv_heads = ((4, 2), (4, 4), (8, 1), (12, 4))[seed % 4]
        *whole, weights = tensors(seed, sum(lengths), heads, kv_heads)
        batch = batch_of(lengths)
        expected = with_gradients(attention, batch.bounds, whole, weights)
        bounds = part_of(batch, ranks.rank, ranks.count).bounds
        mine = [take(x, ranks.rank, ranks.count) for x in (*whole, weights)]
        seen = with_gradients(attend, bounds, mine[:3], mine[3])
        pairs = zip(seen, expected, strict=True)
        errors = [float((x - take(y, ranks.rank, ranks.count)).abs().max()) for x, y in pairs]
        found.append((lengths, max(ranks.max(errors))))
    return found


def with_gradients(attend: Attend, bounds: Bounds, inputs: Sequence[Tensor], grad: Tensor) -> tuple[Tensor, ...]:
    """The result for queries, keys and values, and their gradients from one of the result."""
    q, k, v = (x.detach().clone().requires_grad_() for x in inputs)
    seen = attend(q, k, v, bounds)
    seen.backward(grad)
    return seen.detach(), *(x.grad for x in (q, k, v) if x.grad is not None)


def bf16(ranks: Ranks, kind: Kind) -> dict[str, Any]:
    """Error of result and gradients in bf16, this way and by one process, as shares of the fp64 ones; loss and norm."""
    group = dist.group.WORLD
    assert group is not None
    batch = batch_of([300, 1, 211])
    q, k, v, weights = tensors(3, 512, 4, 2)
    found: dict[str, tuple[Tensor, ...]] = {}
    bounds = part_of(batch, ranks.rank, ranks.count).bounds
    for name, attend, dtype, local in (
        ("exact", attention, torch.float64, False),
        ("alone", attention, torch.bfloat16, False),
        ("shared", context_attention(kind, group), torch.bfloat16, True),
    ):
        # The same numbers in both, as bf16 holds them.
        given = [x.bfloat16().to(dtype) for x in (q, k, v, weights)]
        *inputs, grad = (take(x, ranks.rank, ranks.count) for x in given) if local else given
        all_of_it = with_gradients(attend, bounds if local else batch.bounds, inputs, grad)
        found[name] = tuple(x if local else take(x, ranks.rank, ranks.count) for x in all_of_it)
    errors = {
        name: [float((x.double() - y).norm() / y.norm()) for x, y in zip(found[name], found["exact"], strict=True)]
        for name in ("alone", "shared")
    }
    return {**errors, "step": bf16_step(ranks, ParallelSection(context=2, context_kind=kind))}


def bf16_step(ranks: Ranks, section: ParallelSection) -> tuple[float, float]:
    """Loss and norm of a step in bf16."""
    _, passes, optimizer, grid = laid_out(ranks, section, "bf16")
    figures = gradient(passes, optimizer, [windows(range(WINDOWS))], z_loss=0.0, axes=grid)
    return figures.loss, figures.norm


def tensors(seed: int, tokens: int, heads: int, kv_heads: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Queries, keys, values, and a gradient of the result."""
    generator = torch.Generator().manual_seed(seed)
    q, k, v, weights = (
        torch.randn(tokens, count, 8, generator=generator, dtype=torch.float64)
        for count in (heads, kv_heads, kv_heads, heads)
    )
    return q, k, v, weights


def batch_of(lengths: list[int]) -> Batch:
    """Documents of these lengths; token i is i, and every fourth place carries no loss."""
    places = torch.arange(sum(lengths))
    return Batch(
        places % SHAPE.vocabulary,
        torch.where(places % 4 == 3, -100, places),
        torch.cat([torch.arange(length, dtype=torch.int32) for length in lengths]),
        Bounds.of(lengths),
        (places % 3 - 1).to(torch.int16),
        int((places % 4 != 3).sum()),
        5,
    )


def compiled(ranks: Ranks, folder: Path) -> None:
    """Loss and gradients of one step of compiled layers, kind by kind."""
    for section in (
        ParallelSection(context=2, context_kind="all-gather", compile=True),
        ParallelSection(context=2, context_kind="ulysses", compile=True, recompute="selective"),
        ParallelSection(context=2, context_kind="ring", compile=True, recompute="full"),
    ):
        keep(ranks, folder, section.context_kind, one_step(ranks, section))


def one_step(ranks: Ranks, section: ParallelSection) -> dict[str, Any]:
    """Loss, norm and whole gradients of one step in fp64; what was said of compilation."""
    said: list[str] = []
    grid = axes(ranks, section)
    model = Apertus(SHAPE, device="meta", dtype=held_dtype("fp64", grid))
    passes = lay_out(model, section, grid, "fp64", tell=said.append)
    model.to_empty(device="cpu")
    optimizer = Optimizer(model.named_parameters(), OptimizerSection(name="adamw"))
    begin(model, optimizer, seed=7)
    batches = [windows(range(at, at + 4)) for at in range(0, WINDOWS, 4)]
    figures = gradient(passes, optimizer, batches, z_loss=1e-3, axes=grid)
    gradients = {name: whole(one.grad) for name, one in model.named_parameters() if one.grad is not None}
    return {"loss": figures.loss, "norm": figures.norm, "gradients": gradients, "said": said}
