"""The whole training: from a folder of labelled text to a model file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lauter.stages.language.evidence.lists import SUFFIX, write
from lauter.stages.language.fasttext.predict import Predictor
from lauter.stages.language.fasttext.read import load
from lauter.stages.language.training.confidence import fit_confidence
from lauter.stages.language.training.features import Chosen, choose_features
from lauter.stages.language.training.material import Material, read_material
from lauter.stages.language.training.network import State, new_state, raised_logits, rates, train_lines
from lauter.stages.language.training.numbers import key_of
from lauter.stages.language.training.quantise import quantise
from lauter.stages.language.training.recipe import Recipe
from lauter.stages.language.training.sampling import draw_lines, epoch_order
from lauter.stages.language.training.word_lists import choose_words
from lauter.stages.language.training.write import write_model

_LINES = 100_000
"""Lines that are drawn at a time: 10 MB."""


class Trained(NamedTuple):
    """What a training leaves behind."""

    material: Material
    losses: tuple[float, ...]
    """Mean loss of a line, in nats, of each epoch of each member."""


def train_model(data: Path, out: Path, recipe: Recipe, progress: Callable[[str], None]) -> Trained:
    """Train by `recipe` on the folder `data`, and write the model to the file `out`, and its word lists beside it.

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
    network, width = recipe.network, recipe.network.dim // recipe.network.members
    features = np.empty((rows, network.dim), np.float32)
    output = np.empty((len(material.labels), network.dim), np.float32)
    losses = []
    for member in range(network.members):
        state = new_state(rows, len(material.labels), width, recipe.seed + member)
        for epoch in range(network.epochs):
            losses.append(run_epoch(material, chosen, state, recipe, recipe.seed + member, epoch))
            progress(f"member {member + 1}, epoch {epoch + 1} of {network.epochs}: loss {losses[-1]:.4f}")
        own = slice(member * width, (member + 1) * width)
        features[:, own], output[:, own] = state.rows, state.output[: len(material.labels)]
    output /= np.float32(network.members * network.temperature)
    small = quantise(features, chosen.uses, recipe.quantisation, recipe.seed)
    write_model(out, material.labels, material.lines, chosen, small, output, network)
    progress(f"{out.name}: {out.stat().st_size} bytes")
    lists_path, quarters = out.with_suffix(SUFFIX), recipe.sampling.power_in_quarters
    lists = fit_confidence(material, Predictor(load(str(out))), choose_words(material, recipe.words, quarters))
    write(lists_path, lists, material.labels)
    progress(f"{lists_path.name}: {lists_path.stat().st_size} bytes, {len(lists.keys)} words")
    return Trained(material, tuple(losses))


def run_epoch(material: Material, chosen: Chosen, state: State, recipe: Recipe, seed: int, epoch: int) -> float:
    """Train one member one epoch; returns the mean loss of a line.

    Args:
        material: What lines are drawn from.
        chosen: The features.
        state: Of the member; changed.
        recipe: All the numbers.
        seed: Of the member.
        epoch: From 0; the rates are those of this part of the whole.
    """
    network = recipe.network
    order = epoch_order(material, seed, epoch)
    raised = raised_logits(material.labels, material.types, network)
    loss = 0.0
    for first in range(0, len(order), _LINES):
        labels = order[first : first + _LINES]
        begin, end = ((epoch + place / len(order)) / network.epochs for place in (first, first + len(labels)))
        lines = draw_lines(material, recipe.sampling, labels, seed, epoch, first)
        key = key_of(seed, "dropout", epoch, first)
        loss += train_lines(lines, chosen.features, state, raised, network.batch, rates(network, begin, end), key)
    return loss / len(order)
