"""Attention over tokens that ranks share, in three ways, beside one process that has all of them, in one run.

Rounds alternate; each line is the best round's wall seconds and the CPU seconds of the busiest rank, forward and
backward pass, with one thread a rank, and what a rank sends. `python benchmarks/context.py [--ranks N] [--tokens N]
[--rounds N]`. There is no peer on a CPU: torch's own context parallel has no kernel there.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.distributed as dist
from torch import Tensor
from torch.multiprocessing.spawn import start_processes

from lauter.trainer.attention.attention import Attend, attention
from lauter.trainer.batch import Batch, Bounds
from lauter.trainer.parallel.context.attend import context_attention
from lauter.trainer.parallel.context.split import part_of, take
from lauter.trainer.parallel.ranks import Ranks, join, leave

HEADS, KV_HEADS, HEAD_DIM = 8, 2, 64


def batch_of(lengths: list[int]) -> Batch:
    places = torch.arange(sum(lengths))
    return Batch(places, places, places.int(), Bounds.of(lengths), places.short(), len(places), 0)


def one_round(attend: Attend, bounds: Bounds, inputs: list[Tensor], grad: Tensor) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    seen = attend(inputs[0], inputs[1], inputs[2], bounds)
    seen.backward(grad)
    return time.perf_counter() - wall, time.process_time() - cpu


def sent_by(run: Callable[[], Any]) -> int:
    """Bytes that this rank hands to others during a call."""
    sent = 0
    others = dist.get_world_size() - 1

    def counted(function: Callable[..., Any], size: Callable[..., float]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever torch's function takes
            nonlocal sent
            sent += int(size(*arguments))
            return function(*arguments, **named)

        return call

    share = others / (others + 1)
    sizes: dict[str, Callable[..., float]] = {
        "all_gather_single": lambda _out, tensor, *_: tensor.nbytes * others,
        "reduce_scatter_single": lambda _out, tensor, *_: tensor.nbytes * share,
        "all_to_all_single": lambda _out, tensor, *_: tensor.nbytes * share,
        "batch_isend_irecv": lambda ops: sum(op.tensor.nbytes for op in ops if op.op is dist.isend),
    }
    with ExitStack() as patches:
        for name, size in sizes.items():
            patches.enter_context(mock.patch.object(dist, name, counted(getattr(dist, name), size)))
        run()
    return sent


def compare(ranks: Ranks, tokens: int, documents: int, dtype: torch.dtype, rounds: int) -> None:
    group = dist.group.WORLD
    assert group is not None
    short = tokens // documents
    batch = batch_of([short] * (documents - 1) + [tokens - short * (documents - 1)])
    bounds = part_of(batch, ranks.rank, ranks.count).bounds
    generator = torch.Generator().manual_seed(0)
    whole = [
        torch.randn(tokens, count, HEAD_DIM, generator=generator).to(dtype).requires_grad_()
        for count in (HEADS, KV_HEADS, KV_HEADS)
    ]
    grad = torch.randn(tokens, HEADS, HEAD_DIM, generator=generator).to(dtype)
    mine = [take(x.detach(), ranks.rank, ranks.count).requires_grad_() for x in whole]
    part = take(grad, ranks.rank, ranks.count)
    kinds = {kind: context_attention(kind, group) for kind in ("all-gather", "ulysses", "ring")}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ("one process", *kinds)}
    for _ in range(rounds):
        if ranks.first:
            times["one process"].append(one_round(attention, batch.bounds, whole, grad))
        for kind, attend in kinds.items():
            ranks.barrier()
            found = one_round(attend, bounds, mine, part)
            times[kind].append((ranks.max([found[0]])[0], ranks.max([found[1]])[0]))
    sent = {kind: sent_by(partial(one_round, attend, bounds, mine, part)) for kind, attend in kinds.items()}
    if not ranks.first:
        return
    print(f"{tokens} tokens, {documents} documents, {str(dtype)[6:]}, {ranks.count} ranks, best of {rounds}")
    alone = [min(each) for each in zip(*times["one process"], strict=True)]
    for name, each in times.items():
        wall, cpu = (min(one) for one in zip(*each, strict=True))
        megabytes = f"{sent[name] / 1e6:8.2f} MB sent" if name in sent else ""
        print(f"{name:12} {wall:7.3f} s wall {cpu:7.3f} s CPU  {alone[1] / cpu:5.2f}x  {megabytes}", flush=True)


def enter(rank: int, arguments: argparse.Namespace, folder: Path) -> None:
    torch.set_num_threads(1)
    ranks = join(rank, arguments.ranks, torch.device("cpu"), f"file://{folder}/group")
    for documents, dtype in ((1, torch.float32), (1, torch.bfloat16), (7, torch.float32)):
        compare(ranks, arguments.tokens, documents, dtype, arguments.rounds)
    leave(ranks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        start_processes(enter, (arguments, Path(folder)), nprocs=arguments.ranks, start_method="spawn")


if __name__ == "__main__":
    main()
