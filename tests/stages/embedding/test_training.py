"""Training a head on vectors whose classes are known."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lauter.stages.embedding.head import Head
from lauter.stages.embedding.training import RECIPES, Kind, train

pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")

WIDTH = 24
Set = tuple[NDArray[np.float32], NDArray[np.bool_]]


def classes(count: int, seed: int, share: float = 0.5) -> Set:
    """Vectors of two classes that a plane tells apart, but for some noise."""
    generator = np.random.default_rng(seed)
    positive = generator.random(count) < share
    vectors = generator.normal(size=(count, WIDTH)).astype(np.float32)
    vectors[:, 0] += 3 * positive
    return vectors, positive


def logits(kind: Kind, data: Set, checked: Set, **changes: int) -> NDArray[np.float64]:
    losses: list[float] = []
    changed: dict[str, Any] = {**changes}
    recipe = replace(RECIPES[kind], **changed)
    weights = train(*data, checked, recipe, lambda _, loss: losses.append(loss))
    assert len(losses) == recipe.epochs
    assert weights["out.weight"].shape == (recipe.outputs, recipe.hidden)
    return Head(weights, recipe.chunks, (), "").raw(checked[0])


@pytest.mark.parametrize("kind", ["quality", "toxicity"])
def test_a_head_learns_what_there_is_to_learn(kind: Kind) -> None:
    checked = classes(500, 1)
    found = logits(kind, classes(1200, 0), checked, batch=32)
    assert ((found > 0) == checked[1]).mean() > 0.9
    # With two softmaxes logits hardly leave the middle; sure vectors must be sure.
    assert np.ptp(found) > 4


def test_the_same_seed_gives_the_same_bytes_whatever_was_drawn_before() -> None:
    import torch

    data, checked = classes(300, 0), classes(100, 1)
    first = logits("quality", data, checked)
    torch.rand(7)
    state = torch.random.get_rng_state()
    assert logits("quality", data, checked).tobytes() == first.tobytes()
    assert torch.equal(torch.random.get_rng_state(), state)
    assert logits("quality", data, checked, seed=7).tobytes() != first.tobytes()


def test_both_classes_weigh_alike() -> None:
    checked = classes(400, 1)
    found = logits("quality", classes(1500, 0, share=0.05), checked, batch=32)
    assert ((found > 0) == checked[1]).mean() > 0.85


def test_the_epoch_with_the_lowest_loss_stays() -> None:
    data, checked = classes(60, 0), classes(60, 1)
    losses: list[float] = []
    recipe = replace(RECIPES["quality"], epochs=12, batch=4, rate=0.02)
    weights = train(*data, checked, recipe, lambda _, loss: losses.append(loss))
    best = losses.index(min(losses)) + 1
    assert best < 12
    again = train(*data, checked, replace(recipe, epochs=best), lambda *_: None)
    assert all(np.array_equal(again[name], value) for name, value in weights.items())
