"""The loss with its layer, forward and backward: Lauter's chunks beside what Hugging Face's models do.

Theirs: `linear`, the logits as float32, torch's `cross_entropy`. Seconds are CPU seconds of the process, the best of
`ROUNDS`, both in turn; memory is the most that one step, in a process of its own, needs beyond its inputs.

    python benchmarks/cross_entropy.py [--threads N]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numba
import torch
from torch import Tensor
from torch.nn import functional

from lauter.trainer.loss.cross_entropy import linear_cross_entropy

HIDDEN = 256
ROUNDS = 4
SHAPES = [("bf16", 131_072, 1024), ("bf16", 131_072, 2048), ("fp32", 131_072, 1024), ("bf16", 8192, 2048)]
DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}


def chunks(hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
    return linear_cross_entropy(hidden, weight, labels, normaliser=float(len(labels))).total


def whole(hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(functional.linear(hidden, weight).float(), labels)


WAYS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"chunks": chunks, "whole": whole}


def inputs(dtype: str, vocabulary: int, tokens: int) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    hidden = torch.randn(tokens, HIDDEN, generator=draw).to(DTYPES[dtype]).requires_grad_()
    weight = (torch.randn(vocabulary, HIDDEN, generator=draw) * 0.02).to(DTYPES[dtype]).requires_grad_()
    return hidden, weight, torch.randint(vocabulary, (tokens,), generator=draw)


def step(way: str, hidden: Tensor, weight: Tensor, labels: Tensor) -> float:
    """Seconds of one forward and backward pass."""
    hidden.grad = weight.grad = None
    start = time.process_time()
    WAYS[way](hidden, weight, labels).backward()
    return time.process_time() - start


def peak(way: str, dtype: str, vocabulary: int, tokens: int) -> None:
    """Print the MiB that one step needs beyond its inputs; for a process of its own."""
    # What is loaded or compiled on first use is no part of it.
    step(way, *inputs(dtype, 128, 16))
    tensors = inputs(dtype, vocabulary, tokens)
    before = _mebibytes("VmRSS")
    step(way, *tensors)
    # Not ru_maxrss: a child begins with its parent's.
    print(_mebibytes("VmHWM") - before)


def _mebibytes(field: str) -> float:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text("ascii").splitlines())
    return float(lines[field].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peak", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    numba.set_num_threads(options.threads)
    if options.peak:
        way, dtype, vocabulary, tokens = options.peak
        peak(way, dtype, int(vocabulary), int(tokens))
        return
    for dtype, vocabulary, tokens in SHAPES:
        tensors = inputs(dtype, vocabulary, tokens)
        seconds = {way: min(step(way, *tensors) for _ in range(2)) for way in WAYS}
        for _ in range(ROUNDS - 2):
            for way in WAYS:
                seconds[way] = min(seconds[way], step(way, *tensors))
        memory = {
            way: float(
                subprocess.run(
                    [sys.executable, __file__, "--peak", way, dtype, str(vocabulary), str(tokens)],
                    check=True,
                    capture_output=True,
                    text=True,
                ).stdout
            )
            for way in WAYS
        }
        result = {
            "dtype": dtype,
            "vocabulary": vocabulary,
            "tokens": tokens,
            "threads": options.threads,
            "cpu_seconds": {way: round(value, 3) for way, value in seconds.items()},
            "speedup": round(seconds["whole"] / seconds["chunks"], 2),
            "mebibytes": {way: round(value) for way, value in memory.items()},
            "less_memory": round(memory["whole"] / memory["chunks"], 1),
        }
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
