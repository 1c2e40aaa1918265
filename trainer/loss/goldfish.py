"""Goldfish: labels left out at places that depend on the tokens before them (Hans et al., arXiv 2406.10209).

Whoever sees a text often never sees some of its tokens as a label, each time the same: it cannot learn it by heart.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.trainer.config.sections import GoldfishSection

TABLE_SIZE = 1_000_003
TABLE_SEED = 2_971_215_073
"""Size and seed of the table of random numbers of `apertus`, from goldfish-loss and swiss-ai/Megatron-LM."""

# splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014): its step, an odd number
# near 2^64 / golden ratio, and its finaliser.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIER_1, _MULTIPLIER_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31 = np.uint64(30), np.uint64(27), np.uint64(31)


def dropped(tokens: NDArray[np.uint32], starts: NDArray[np.int64], section: GoldfishSection) -> NDArray[np.bool_]:
    """Where a token is left out as a label, shape (tokens,).

    What decides is the window of the `h` tokens that end at the label, the label included. Only whole windows count,
    and only inside one document: its first h - 1 tokens are always kept. So it depends on nothing but the document,
    however the stream is cut into sequences. A part of a document gives the same as the whole from its place h - 1 on:
    hand over h - 1 tokens more in front, and leave out what comes back for them.

    `apertus` is the hash of swiss-ai/Megatron-LM to the bit: the product of the h ids, as int64 with its overflow,
    modulo 1,000,003, looked up in a table of random numbers. With h = 50 the product is 0 for 5 to 9 % of windows,
    whose entry is not below 1/50, and most others share a few hundred entries: it leaves out 1.3 to 1.8 %, by the
    data, instead of 2 %. Apertus hashed labels after they had been cut into sequences: there a window also spans two
    documents, and the first h - 1 labels of every sequence, 1.2 % of 4,096, are always kept. A window within one
    sequence and one document gives the same here.

    `mixed` leaves out exactly 1 in k of all hashes. It is a polynomial in 64 bits over the mixed ids in order, rolled
    along and mixed once more: 64-bit overflow is part of it, and does no harm as its multiplier is odd.

    Args:
        tokens: Ids of documents, one after the other.
        starts: Offsets of the documents' first tokens, ascending, the first of them 0; empty without tokens.
        section: Which hash, and its k and h.

    Raises:
        ValueError: `starts` does not begin with 0, does not ascend, or goes beyond the tokens.
    """
    bounds = np.append(starts, np.int64(tokens.size))
    if bounds[0] != 0 or np.any(np.diff(bounds) < 0):
        raise ValueError(f"goldfish: starts must ascend from 0 to at most {tokens.size}, not {starts.tolist()[:8]}")
    result = np.zeros(tokens.size, np.bool_)
    if section.hash == "apertus":
        _drop_by_product(tokens, bounds, section.h, _is_dropped(section.k), result)
    else:
        _drop_by_mix(tokens, bounds, section.h, np.uint64((1 << 64) // section.k - 1), result)
    return result


def apertus_table() -> NDArray[np.float32]:
    """The table of random numbers of `apertus`: torch's generator on the CPU."""
    generator = torch.Generator().manual_seed(TABLE_SEED)
    table: NDArray[np.float32] = torch.rand(TABLE_SIZE, generator=generator).numpy()
    return table


@cache
def _is_dropped(k: int) -> NDArray[np.bool_]:
    # torch compares a tensor of float32 with a Python number in float32.
    return apertus_table() < np.float32(1 / k)


@kernel
def _drop_by_product(
    tokens: NDArray[np.uint32],
    bounds: NDArray[np.int64],
    h: int,
    table: NDArray[np.bool_],
    result: NDArray[np.bool_],
) -> None:
    # A product cannot be rolled: even factors have no inverse modulo 2^64. In blocks of h tokens, a window is the end
    # of one block and the beginning of the next: three products a token, whatever h is.
    ends = np.ones(h + 1, np.int64)
    for document in range(bounds.size - 1):
        ends[:] = 1
        for block in range(bounds[document], bounds[document + 1], h):
            beginning = np.int64(1)
            size = min(h, bounds[document + 1] - block)
            for place in range(size):
                beginning *= np.int64(tokens[block + place])
                if block > bounds[document] or place == h - 1:
                    product = ends[place + 1] * beginning
                    result[block + place] = table[product % TABLE_SIZE]
            if size == h:
                ends[h] = 1
                for place in range(h - 1, -1, -1):
                    ends[place] = ends[place + 1] * np.int64(tokens[block + place])


@kernel
def _drop_by_mix(
    tokens: NDArray[np.uint32], bounds: NDArray[np.int64], h: int, last: np.uint64, result: NDArray[np.bool_]
) -> None:
    out = np.uint64(1)
    for _ in range(h):
        out *= _STEP
    for document in range(bounds.size - 1):
        start = bounds[document]
        window = np.uint64(0)
        for place in range(start, bounds[document + 1]):
            window = window * _STEP + _mixed(np.uint64(tokens[place]) + _STEP)
            if place - start >= h:
                window -= out * _mixed(np.uint64(tokens[place - h]) + _STEP)
            if place - start >= h - 1:
                result[place] = _mixed(window) <= last


@kernel
def _mixed(x: np.uint64) -> np.uint64:
    """The finaliser of splitmix64: a permutation of the numbers of 64 bits."""
    x = (x ^ (x >> _30)) * _MULTIPLIER_1
    x = (x ^ (x >> _27)) * _MULTIPLIER_2
    return np.uint64(x ^ (x >> _31))
