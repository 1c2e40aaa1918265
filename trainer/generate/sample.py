"""Which token comes next: the likeliest, or one that is drawn from the likeliest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def choose(logits: Tensor, temperature: float, top_p: float, uniforms: Sequence[float]) -> list[int]:
    """One token for each row of `logits`, shape (sequences, vocabulary), any float dtype.

    Temperature 0 takes the likeliest, of equal ones that with the lowest id (as transformers does). Otherwise a token
    is drawn from softmax(logits / temperature) with `uniforms[row]` from [0, 1), in fp64.
    """
    if temperature == 0:
        return logits.float().argmax(dim=-1).tolist()
    # From the likeliest one down: a temperature near 0 would make more than one infinity of the logits themselves.
    below = logits.double() - logits.double().amax(dim=-1, keepdim=True)
    rows = torch.softmax(below / temperature, dim=-1).cpu().numpy()
    return [draw(row, top_p, uniform) for row, uniform in zip(rows, uniforms, strict=True)]


def draw(probabilities: NDArray[np.float64], top_p: float, uniform: float) -> int:
    """A token of the nucleus (Holtzman et al., arXiv 1904.09751), by inversion of its distribution.

    The nucleus is the smallest set of likeliest tokens that has at least `top_p` of the probability together; of
    equally likely ones those with lower ids come first. `uniform` lies in [0, 1).
    """
    order = np.argsort(-probabilities, kind="stable")
    sums = np.cumsum(probabilities[order])
    size = len(order) if top_p == 1 else min(int(np.searchsorted(sums, top_p)) + 1, len(order))
    place = int(np.searchsorted(sums[:size], uniform * sums[size - 1], side="right"))
    return int(order[min(place, size - 1)])


def sources_of_chance(prompts: Sequence[Sequence[int]], seed: int) -> list[np.random.Generator]:
    """A random generator for each sequence: what it draws does not depend on the others in the batch.

    It follows from the seed, the prompt's ids, and how often the same prompt came before in the batch. Philox: its
    stream is the same on every machine (Salmon et al., SC 2011).
    """
    seen: Counter[tuple[int, ...]] = Counter()
    found = []
    for prompt in prompts:
        key = tuple(prompt)
        digest = hashlib.sha256(f"{seed}\n{seen[key]}\n{key}".encode()).digest()
        seen[key] += 1
        found.append(np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little"))))
    return found
