"""Training a head: two layers on frozen vectors, the same bytes every time on one machine.

The numbers are those of the published heads: FineWeb2-HQ's for quality (arXiv:2502.10361, section 3: hidden width 256,
dropout 0.2, AdamW with a rate of 3e-4, batches of 256, 6 epochs) and Apertus's for toxicity (hidden width 768, batches
of 64, 200 steps of warm-up). The loss is of logits, binary cross-entropy for one output and cross-entropy for two:
Apertus's code took the softmax before a loss that takes it again, which presses all logits together. Both classes weigh
alike, however many texts they have. Of the epochs the one with the lowest loss on the texts for calibration stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from lauter.stages.embedding.head import Chunks

if TYPE_CHECKING:
    import torch

Kind = Literal["quality", "toxicity"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Every number that decides."""

    hidden: int
    """Width of the hidden layer."""
    outputs: Literal[1, 2]
    chunks: Chunks
    """Which chunks of a document the head judges; it is trained on first chunks."""
    batch: int
    warm_up: int
    """Steps over which the rate grows to its full height; no more than a tenth of all."""
    dropout: float = 0.2
    rate: float = 3e-4
    epochs: int = 6
    seed: int = 42


RECIPES: Mapping[Kind, Recipe] = {
    "quality": Recipe(hidden=256, outputs=1, chunks="first", batch=256, warm_up=0),
    "toxicity": Recipe(hidden=768, outputs=2, chunks="highest", batch=64, warm_up=200),
}


def train(
    vectors: NDArray[np.float32],
    positive: NDArray[np.bool_],
    checked: tuple[NDArray[np.float32], NDArray[np.bool_]],
    recipe: Recipe,
    told: Callable[[int, float], None],
) -> Mapping[str, NDArray[np.float32]]:
    """The weights of a head (`head.Head.weights`).

    Args:
        vectors: Shape (n, width), n > 0.
        positive: Shape (n,).
        checked: The same of texts that are not trained on, by whose loss the epoch is chosen.
        recipe: Every number that decides.
        told: Is called with each epoch from 1 and its loss on `checked`.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # how a sum is split over threads changes its last bits
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            return _train(vectors, positive, checked, recipe, told)
    finally:
        torch.set_num_threads(threads)


def _train(
    vectors: NDArray[np.float32],
    positive: NDArray[np.bool_],
    checked: tuple[NDArray[np.float32], NDArray[np.bool_]],
    recipe: Recipe,
    told: Callable[[int, float], None],
) -> Mapping[str, NDArray[np.float32]]:
    import torch

    width, count = vectors.shape[1], len(vectors)
    layers = torch.nn.Sequential(
        torch.nn.Linear(width, recipe.hidden),
        torch.nn.ReLU(),
        torch.nn.Dropout(recipe.dropout),
        torch.nn.Linear(recipe.hidden, recipe.outputs),
    )
    optimizer = torch.optim.AdamW(layers.parameters(), lr=recipe.rate)
    given, classes = torch.from_numpy(vectors), torch.from_numpy(positive.astype(np.int64))
    other, other_classes = torch.from_numpy(checked[0]), torch.from_numpy(checked[1].astype(np.int64))
    weight = count / (2 * torch.bincount(classes, minlength=2).clamp(min=1).float())
    best, kept = float("inf"), {name: value.clone() for name, value in layers.state_dict().items()}
    warm_up = max(min(recipe.warm_up, recipe.epochs * -(-count // recipe.batch) // 10), 1)
    step = 0
    for epoch in range(1, recipe.epochs + 1):
        layers.train()
        order = torch.randperm(count)
        for first in range(0, count, recipe.batch):
            step += 1
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate * min(1.0, step / warm_up)
            rows = order[first : first + recipe.batch]
            optimizer.zero_grad()
            _loss(layers(given[rows]), classes[rows], weight).backward()
            optimizer.step()
        layers.eval()
        with torch.no_grad():
            loss = float(_loss(layers(other), other_classes, weight))
        told(epoch, loss)
        if loss < best:
            best, kept = loss, {name: value.clone() for name, value in layers.state_dict().items()}
    names = {"0.weight": "hidden.weight", "0.bias": "hidden.bias", "3.weight": "out.weight", "3.bias": "out.bias"}
    return {name: kept[own].numpy() for own, name in names.items()}


def _loss(logits: torch.Tensor, classes: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    import torch

    if logits.shape[1] == 2:
        return torch.nn.functional.cross_entropy(logits, classes, weight=weight)
    each = torch.nn.functional.binary_cross_entropy_with_logits(
        logits[:, 0], classes.float(), weight=weight[classes], reduction="sum"
    )
    return each / weight[classes].sum()
