"""From one process to two, beside torch's DDP; and what the training loop costs over a bare step.

Scaling: the same model, batch a rank, optimizer and attention everywhere; each rank has one thread and one core.
Lauter shares the weights (FSDP2) or keeps copies (`parallel.replicate`); DDP keeps copies and sums gradients while the
backward pass runs. Groups of processes take turns, a step each, so that all see the same load. Scaling is tokens a
second of two processes over those of one: 2 at best. The bar is that Lauter's is at most 0.05 below DDP's.

Loop: runs of `lauter train`'s own loop of two lengths over the same corpus, one process, two threads; the difference of
their times is that of the steps between, with data, guard, metrics and progress. A bare loop has its batches in memory
and does forward pass, backward pass, norm and update. They take turns. The bar is 3 %.

    python benchmarks/train_scaling.py [--precision fp32|bf16] [--rounds 15] [--only scaling|loop] [--corpus DIR]
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from io import StringIO
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imports of the package stay inside the children
    from lauter.trainer.batch import Batch
    from lauter.trainer.config.sections import RunSection
    from lauter.trainer.model.shape import ModelShape

Step = Callable[[], None]

ROOT = Path(__file__).resolve().parents[1]
CASES = {"Lauter, one": 1, "Lauter, two, shared": 2, "Lauter, two, copies": 2, "bare, one": 1, "DDP, two": 2}


def shape(options: argparse.Namespace) -> ModelShape:
    """Of both parts' models: some millions of parameters, whose gradients are a message worth hiding."""
    from lauter.trainer.model.presets import PRESETS

    return replace(PRESETS["tiny"], vocabulary=options.vocabulary, positions=options.sequence)


def batch_of(options: argparse.Namespace, rank: int) -> Batch:
    """Random tokens of some documents a window."""
    import torch

    from lauter.trainer.batch import Batch, Bounds

    torch.manual_seed(rank)
    count, length = options.sequence * options.batch, options.sequence // 4
    tokens = torch.randint(0, options.vocabulary, (count,))
    documents = [length] * (count // length)
    positions = torch.arange(length, dtype=torch.int32).repeat(len(documents))
    languages = torch.zeros(count, dtype=torch.int16)
    return Batch(tokens, torch.roll(tokens, -1), positions, Bounds.of(documents), languages, count, 0)


def step_of(name: str, options: argparse.Namespace, rank: int, where: str) -> Step:
    """A step of one case on one rank, which has joined its group."""
    import torch
    from torch import Tensor, nn

    from lauter.trainer.config.parallel import ParallelSection
    from lauter.trainer.config.sections import OptimizerSection
    from lauter.trainer.loop.state import begin
    from lauter.trainer.loop.step import gradient
    from lauter.trainer.model.apertus import Apertus
    from lauter.trainer.model.initialise import initialise
    from lauter.trainer.optimizer.optimizer import Optimizer
    from lauter.trainer.parallel.axes import axes
    from lauter.trainer.parallel.plan import compute_dtype, held_dtype, lay_out
    from lauter.trainer.parallel.ranks import Ranks, join

    count, cpu = CASES[name], torch.device("cpu")
    ranks = Ranks(0, 1, cpu) if count == 1 else join(rank, count, cpu, where)
    batch, section = batch_of(options, rank), OptimizerSection(warmup_steps=0, clip=1.0)
    if name.startswith("Lauter"):
        parallel = ParallelSection(replicate=2) if "copies" in name else ParallelSection()
        grid = axes(ranks, parallel)
        model = Apertus(shape(options), device="meta", dtype=held_dtype(options.precision, grid))
        passes = lay_out(model, parallel, grid, options.precision, tell=print)
        model.to_empty(device="cpu")
        optimizer = Optimizer(model.named_parameters(), section)
        begin(model, optimizer, 1)

        def step() -> None:
            figures = gradient(passes, optimizer, [batch], z_loss=0.0, axes=grid)
            optimizer.step(1e-3, figures.norm)
            optimizer.zero_grad()

        return step

    class Loss(nn.Module):
        """DDP prepares its messages in `forward`."""

        def __init__(self) -> None:
            super().__init__()
            self.model = Apertus(shape(options), dtype=compute_dtype(options.precision))
            initialise(self.model, 1)

        def forward(self) -> Tensor:
            return self.model.loss(batch, batch.targets * count).total

    plain = Loss()
    # DDP divides by the number of ranks; the loss is a sum over all of them.
    loss = nn.parallel.DistributedDataParallel(plain, gradient_as_bucket_view=True) if count > 1 else plain
    bare = Optimizer(plain.model.named_parameters(), section)

    def bare_step() -> None:
        (loss() * count).backward()
        bare.step(1e-3, bare.gradient_norm())
        bare.zero_grad()

    return bare_step


def child(connection: Connection, name: str, rank: int, where: str, options: argparse.Namespace) -> None:
    """One rank of one case: a step for every message."""
    import torch

    with suppress(AttributeError):  # Not on macOS.
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[rank]})
    torch.set_num_threads(1)
    step = step_of(name, options, rank, where)
    while connection.recv() == "step":
        step()
        connection.send(None)


def scaling(options: argparse.Namespace) -> None:
    """Print tokens a second of every case, and both ratios."""
    context = mp.get_context("spawn")
    groups: dict[str, list[Connection]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, count) in enumerate(CASES.items()):
            groups[name] = []
            for rank in range(count):
                here, there = context.Pipe()
                arguments = (there, name, rank, f"file://{folder}/{number}", options)
                context.Process(target=child, args=arguments, daemon=True).start()
                groups[name].append(here)
        seconds: dict[str, list[float]] = {name: [] for name in CASES}
        for number in range(options.rounds + 2):  # Two that don't count: kernels, buckets.
            for name, connections in groups.items():
                started = time.perf_counter()
                for connection in connections:
                    connection.send("step")
                for connection in connections:
                    connection.recv()
                if number >= 2:
                    seconds[name].append(time.perf_counter() - started)
        for connections in groups.values():
            for connection in connections:
                connection.send("end")
    tokens = options.sequence * options.batch
    speed = {name: CASES[name] * tokens / statistics.median(found) for name, found in seconds.items()}
    print(f"\n{options.precision}, {shape(options).parameters:,} parameters, {tokens:,} tokens a rank and step\n")
    print("| | tokens/s, median | scaling from one process |\n| --- | ---: | ---: |")
    for name, one in speed.items():
        alone = speed["Lauter, one"] if name.startswith("Lauter") else speed["bare, one"]
        print(f"| {name} | {one:,.0f} | {one / alone:.3f} |")
    ours = max(speed[name] for name in speed if name.startswith("Lauter, two")) / speed["Lauter, one"]
    print(f"\nLauter's scaling less DDP's: {ours - speed['DDP, two'] / speed['bare, one']:+.3f} (bar -0.05)")


def run_section(options: argparse.Namespace, steps: int) -> RunSection:
    """A run of so many steps, without validation and with one save at its end."""
    from lauter.trainer.config.sections import RunSection

    return RunSection.model_validate(
        {
            "name": "loop",
            "precision": options.precision,
            "model": {"preset": "tiny", "positions": options.sequence},
            "data": {"corpora": [{"path": str(options.corpus)}], "sequence_length": options.sequence},
            "schedule": {"total_tokens": steps * options.batch * options.sequence},
            "batch": {"sequences": options.batch, "micro": options.batch},
            "checkpoint": {"every_steps": 10**6, "asynchronous": False},
            "metrics": {"peak_flops": 1e12},
        }
    )


def loop(options: argparse.Namespace) -> None:
    """Print what the loop adds to a bare step."""
    import torch
    from rich.console import Console

    from lauter.trainer.loop.enter import Wanted
    from lauter.trainer.loop.parts import assemble
    from lauter.trainer.loop.run import train_on
    from lauter.trainer.loop.state import begin
    from lauter.trainer.parallel.ranks import Ranks

    torch.set_num_threads(2)
    ranks = Ranks(0, 1, torch.device("cpu"))
    short: int = options.steps
    long = 3 * short

    def whole(steps: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            console = Console(file=StringIO(), force_terminal=True, width=100)
            train_on(ranks, run_section(options, steps), Path(folder) / "run", wanted=Wanted(), console=console)
            return time.perf_counter() - started

    parts = assemble(run_section(options, long), ranks, "quick", print)
    begin(parts.model, parts.optimizer, 1)
    batches = [parts.loader.step(step * options.batch, options.batch)[0] for step in range(long)]
    parts.loader.close()

    def bare() -> float:
        started = time.perf_counter()
        for batch in batches[short:]:
            parts.model.loss(batch, batch.targets).total.backward()
            parts.optimizer.step(1e-4, parts.optimizer.gradient_norm())
            parts.optimizer.zero_grad()
        return (time.perf_counter() - started) / (long - short)

    bare()
    whole(2)
    ours, theirs = [], []
    for _ in range(options.loops):
        theirs.append(bare())
        ours.append((whole(long) - whole(short)) / (long - short))
    print("| | ms a step, least | median |\n| --- | ---: | ---: |")
    for name, found in (("bare", theirs), ("loop", ours)):
        print(f"| {name} | {min(found) * 1e3:.1f} | {statistics.median(found) * 1e3:.1f} |")
    print(f"\nthe loop costs {100 * (min(ours) / min(theirs) - 1):+.1f} % (bar 3 %)")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--loops", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--sequence", type=int, default=512)
    parser.add_argument("--batch", type=int, default=8, help="windows a rank and step; 8 are those of tiny.yaml")
    parser.add_argument("--vocabulary", type=int, default=8192)
    parser.add_argument("--corpus", type=Path, default=ROOT / "out" / "train-demo" / "corpus")
    parser.add_argument("--only", choices=("scaling", "loop"))
    options = parser.parse_args()
    if options.only != "loop":
        scaling(options)
    if options.only != "scaling":
        loop(options)


if __name__ == "__main__":
    main()
