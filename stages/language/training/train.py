"""The whole training: from a folder of labelled text to a model file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.stages.language.training.features import Chosen, choose_features
from lauter.stages.language.training.material import Material, read_material
from lauter.stages.language.training.network import State, new_state, raised_logits, rates, train_lines
from lauter.stages.language.training.numbers import key_of
from lauter.stages.language.training.quantise import quantise
from lauter.stages.language.training.recipe import Recipe
from lauter.stages.language.training.sampling import draw_lines, epoch_order
from lauter.stages.language.training.write import write_model

_LINES = 100_000
"""Lines that are drawn at a time: 10 MB."""


class Trained(NamedTuple):
    """What a training leaves behind."""

    material: Material
    losses: tuple[float, ...]
    """Mean loss of a line of each epoch, in nats."""


def train_model(data: Path, out: Path, recipe: Recipe, progress: Callable[[str], None]) -> Trained:
    """Train by `recipe` on the folder `data`, and write the model to the file `out`.

    The same data and recipe give the same file, byte for byte, on every machine: one thread, and every sum in a fixed
    order (see `network`).

    Args:
        data: Folder of `LABEL.txt` and `LABEL.words` (see `material`).
        out: The file.
        recipe: Every number that decides.
        progress: Told what is done, a line at a time.

    Raises:
        ValueError: The data is not of the form above; the message says where.
        OSError: A file cannot be read or written.
    """
    material = read_material(data, recipe)
    chosen = choose_features(material, recipe)
    rows = len(chosen.uses)
    progress(
        f"{len(material.labels)} labels, {len(material.items.starts) - 1} lines and words, {rows} features, "
        f"{material.lines.sum()} lines an epoch"
    )
    network = recipe.network
    state = new_state(rows, len(material.labels), network, recipe.seed)
    losses = []
    for epoch in range(network.epochs):
        span = (epoch / network.epochs, (epoch + 1) / network.epochs)
        losses.append(run_epoch(material, chosen, state, recipe, epoch, span))
        progress(f"epoch {epoch + 1} of {network.epochs}: loss {losses[-1]:.4f}")
    small = quantise(state.rows, chosen.uses, recipe.quantisation, recipe.seed)
    output = state.output[: len(material.labels)] / np.float32(network.temperature)
    write_model(out, material.labels, material.lines, chosen, small, output, network)
    progress(f"{out}: {out.stat().st_size} bytes")
    return Trained(material, tuple(losses))


def run_epoch(
    material: Material, chosen: Chosen, state: State, recipe: Recipe, epoch: int, span: tuple[float, float]
) -> float:
    """Train one epoch while the rates fall from those at `span[0]` to those at `span[1]` of all; the mean loss."""
    order = epoch_order(material, recipe.seed, epoch)
    loss = 0.0
    for first in range(0, len(order), _LINES):
        labels = order[first : first + _LINES]
        begin, end = (span[0] + (span[1] - span[0]) * place / len(order) for place in (first, first + len(labels)))
        loss += _train(material, chosen, state, recipe, epoch, first, labels, begin, end)
    return loss / len(order)


def _train(
    material: Material,
    chosen: Chosen,
    state: State,
    recipe: Recipe,
    epoch: int,
    first: int,
    labels: NDArray[np.int64],
    begin: float,
    end: float,
) -> float:
    """Draw the lines from number `first` of an epoch and train on them; the sum of their losses."""
    lines = draw_lines(material, recipe.sampling, labels, recipe.seed, epoch, first)
    rate = rates(recipe.network, begin, end)
    raised = raised_logits(material.labels, material.types, recipe.network)
    key = key_of(recipe.seed, "dropout", epoch, first)
    return train_lines(lines, chosen.features, state, raised, recipe.network.batch, rate, key)
