"""Attention document by document beside a mask of all documents, and xIELU beside transformers', in one run.

Rounds alternate; each prints the median milliseconds of forward and backward pass and the ratio. `python
benchmarks/attention.py [--tokens N] [--rounds N]`.

The peer of attention is what transformers does with packed documents on a CPU: one boolean mask of shape (1, 1, T, T),
keys and values repeated for grouped queries.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers.activations import XIELUActivation

from lauter.trainer.attention.attention import attention
from lauter.trainer.batch import Bounds
from lauter.trainer.model.xielu import XIELU

HEADS, KV_HEADS, HEAD_DIM = 10, 2, 32
WIDTH = 1680


def masked(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    repeated = (x.repeat_interleave(HEADS // KV_HEADS, dim=1) for x in (k, v))
    query, key, value = (x.transpose(0, 1)[None] for x in (q, *repeated))
    return scaled_dot_product_attention(query, key, value, attn_mask=mask)[0].transpose(0, 1)


def compare(name: str, ours: Callable[[], None], theirs: Callable[[], None], rounds: int) -> None:
    """Alternate the two and print their medians."""
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(rounds + 1):
        for who, run in (("ours", ours), ("theirs", theirs)):
            start = time.perf_counter()
            run()
            times[who].append(time.perf_counter() - start)
    # The first round compiles and warms up.
    our_time, their_time = (statistics.median(each[1:]) * 1e3 for each in times.values())
    print(f"{name:52} {our_time:9.2f} ms {their_time:9.2f} ms  {their_time / our_time:6.2f}x", flush=True)


def compare_attention(tokens: int, documents: int, dtype: torch.dtype, rounds: int) -> None:
    lengths = [tokens // documents] * (documents - 1)
    lengths.append(tokens - sum(lengths))
    q, k, v = (torch.randn(tokens, n, HEAD_DIM, dtype=dtype, requires_grad=True) for n in (HEADS, KV_HEADS, KV_HEADS))
    grad = torch.randn(tokens, HEADS, HEAD_DIM, dtype=dtype)
    bounds = Bounds.of(lengths)
    document = torch.repeat_interleave(torch.arange(documents), torch.tensor(lengths))
    mask = (document[:, None] == document) & torch.ones(tokens, tokens, dtype=torch.bool).tril()
    difference = (attention(q, k, v, bounds) - masked(q, k, v, mask)).abs().max().item()
    if difference > (2e-6 if dtype == torch.float32 else 0.04):
        raise SystemExit(f"the two differ by {difference}")
    compare(
        f"attention, {tokens} tokens, {documents} documents, {dtype}",
        lambda: attention(q, k, v, bounds).backward(grad),
        lambda: masked(q, k, v, mask).backward(grad),
        rounds,
    )


def compare_xielu(tokens: int, dtype: torch.dtype, rounds: int) -> None:
    theirs, ours = XIELUActivation(dtype=dtype), XIELU(device=None, dtype=dtype)
    ours.load_state_dict({name: parameter.detach() for name, parameter in theirs.named_parameters()})
    x = torch.randn(tokens, WIDTH, dtype=dtype, requires_grad=True)
    grad = torch.randn(tokens, WIDTH, dtype=dtype)
    difference = (ours(x) - theirs(x)).abs().max().item()
    if difference > (2e-6 if dtype == torch.float32 else 0.2):
        raise SystemExit(f"the two differ by {difference}")
    compare(
        f"xIELU, {tokens} x {WIDTH}, {dtype}",
        lambda: ours(x).backward(grad),
        lambda: theirs(x).backward(grad),
        rounds,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    print(f"{torch.get_num_threads()} threads; medians of {arguments.rounds} rounds, forward and backward")
    print(f"{'':52} {'lauter':>12} {'peer':>12}   ratio")
    for dtype in (torch.float32, torch.bfloat16):
        for documents in (1, 7, 64):
            compare_attention(arguments.tokens, documents, dtype, arguments.rounds)
        compare_xielu(arguments.tokens, dtype, arguments.rounds)


if __name__ == "__main__":
    main()
