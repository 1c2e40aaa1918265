"""How much memory a training step takes in fact, layout by layout; run in processes of their own by test_memory.py."""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from lauter.trainer.batch import Batch, Bounds
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.config.sections import OptimizerSection
from lauter.trainer.loop.step import gradient
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.optimizer.optimizer import Optimizer
from lauter.trainer.optimizer.part import local
from lauter.trainer.parallel.axes import axes
from lauter.trainer.parallel.plan import held_dtype, lay_out
from lauter.trainer.parallel.ranks import Ranks

LENGTH = 512
OPTIMIZER = OptimizerSection(warmup_steps=0)
SHAPE = ModelShape(8, 512, 2688, 8, 2, 64, 8192, LENGTH)
"""35.7 million parameters."""
ALONE = {
    "one process": (ParallelSection(), 1),
    "one process, full recomputation": (ParallelSection(recompute="full"), 1),
}
TWO = {"fsdp 2": (ParallelSection(), 1), "tensor 2": (ParallelSection(tensor=2), 1)}
MORE_ALONE = {
    "one process, selective recomputation": (ParallelSection(recompute="selective"), 1),
    "one process, 2 micro-batches": (ParallelSection(), 2),
}
MORE_TWO = {
    "fsdp 2, full recomputation": (ParallelSection(recompute="full"), 1),
    "fsdp 2, 2 micro-batches": (ParallelSection(), 2),
    "replicate 2": (ParallelSection(replicate=2), 1),
    "context 2": (ParallelSection(context=2), 1),
    "pipeline 2": (ParallelSection(pipeline=2), 4),
    "pipeline 2, interleaved": (ParallelSection(pipeline=2, schedule="interleaved", stages_per_rank=2), 4),
}
"""Layout and micro-batches, each of two windows."""

Cases = Mapping[str, tuple[ParallelSection, int]]


def alone(ranks: Ranks, folder: Path) -> None:
    _all(ranks, folder, ALONE, SHAPE, steps=1)


def two(ranks: Ranks, folder: Path) -> None:
    _all(ranks, folder, TWO, SHAPE, steps=1)


def more_alone(ranks: Ranks, folder: Path) -> None:
    _all(ranks, folder, {**ALONE, **MORE_ALONE}, SHAPE, steps=2)


def more_two(ranks: Ranks, folder: Path) -> None:
    _all(ranks, folder, {**TWO, **MORE_TWO}, SHAPE, steps=2)


def _all(ranks: Ranks, folder: Path, cases: Cases, shape: ModelShape, *, steps: int) -> None:
    small = replace(shape, layers=4, hidden=64, feed_forward=128, heads=2, kv_heads=2, head_dim=32, vocabulary=512)
    for name, (section, micro_batches) in cases.items():
        # What is loaded and compiled once is there before: kernels, groups, buffers of products.
        _train(ranks, small, section, micro_batches, steps=1)
        gc.collect()
        before = _status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew.
        _train(ranks, shape, section, micro_batches, steps=steps)
        peak = _status("VmHWM") - before
        (folder / f"{name}-{ranks.rank}.json").write_text(json.dumps(peak))
        gc.collect()


def _train(ranks: Ranks, shape: ModelShape, section: ParallelSection, micro_batches: int, *, steps: int) -> None:
    grid = axes(ranks, section)
    model = Apertus(shape, device="meta", dtype=held_dtype("bf16", grid))
    passes = lay_out(model, section, grid, "bf16", tell=print)
    model.to_empty(device=ranks.device)
    for parameter in model.parameters():
        local(parameter).fill_(0.01)
    optimizer = Optimizer(model.named_parameters(), OPTIMIZER)
    for _ in range(steps):
        batches = [_batch(shape) for _ in range(micro_batches)]
        found = gradient(passes, optimizer, batches, z_loss=0.0, axes=grid)
        optimizer.step(1e-4, found.norm)
        optimizer.zero_grad()


def _batch(shape: ModelShape) -> Batch:
    ids = torch.arange(2 * LENGTH) % shape.vocabulary
    positions = torch.arange(LENGTH, dtype=torch.int32).repeat(2)
    languages = torch.zeros(2 * LENGTH, dtype=torch.int16)
    return Batch(ids, ids.roll(-1), positions, Bounds.of([LENGTH] * 2), languages, 2 * LENGTH, 0)


def _status(key: str) -> int:
    """Bytes."""
    found = re.search(key + r":\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) << 10
