from __future__ import annotations

import numpy as np
import pytest

from lauter.stages.language.training.quantise import assign, find_centroids, quantise, restore_rows
from lauter.stages.language.training.recipe import Quantisation


def by(**numbers: int) -> Quantisation:
    return Quantisation.model_validate({"part": 2, "features": 1, "sample": 2000, "iterations": 6, **numbers})


def test_rows_come_back_nearly() -> None:
    rows = np.random.default_rng(1).normal(size=(3000, 16)).astype(np.float32)
    small = quantise(rows, np.ones(3000, np.int64), by(), 6)
    assert small.codes.shape == (3000, 8) and small.centroids.shape == (8, 256, 2)
    back = np.empty_like(rows)
    restore_rows(small, back)
    error = np.linalg.norm(back - rows, axis=1) / np.linalg.norm(rows, axis=1)
    assert error.mean() < 0.12


def test_a_row_of_zeros_stays_one() -> None:
    rows = np.random.default_rng(2).normal(size=(400, 16)).astype(np.float32)
    rows[7] = 0
    back = np.empty_like(rows)
    restore_rows(quantise(rows, np.ones(400, np.int64), by(sample=400), 6), back)
    assert np.linalg.norm(back[7]) < 0.05 * np.linalg.norm(rows, axis=1).mean()


def test_rows_in_use_are_nearer() -> None:
    random = np.random.default_rng(3)
    rows = random.normal(size=(20_000, 16)).astype(np.float32)
    uses = np.ones(20_000, np.int64)
    rows[:300, 8:] = rows[:300, :8] * 0.01
    uses[:300] = 100_000

    def error_with(counts: np.ndarray) -> float:
        back = np.empty_like(rows)
        restore_rows(quantise(rows, counts, by(), 6), back)
        return float(np.linalg.norm(back[:300] - rows[:300]))

    assert error_with(uses) < 0.9 * error_with(np.ones(20_000, np.int64))


def test_parts_must_divide_the_dimension() -> None:
    with pytest.raises(ValueError, match=r"quantisation.part 3 does not divide network.dim 16"):
        quantise(np.ones((300, 16), np.float32), np.ones(300, np.int64), by(part=3), 6)


def test_the_nearest_centroid_is_the_first_of_several() -> None:
    random = np.random.default_rng(4)
    centroids = random.normal(size=(256, 3)).astype(np.float32)
    centroids[9] = centroids[5]
    points = random.normal(size=(200, 3)).astype(np.float32)
    points[0] = centroids[9]
    codes = np.empty(200, np.uint8)
    assign(points, centroids, codes)
    assert codes[0] == 5
    distances = ((points[:, None] - centroids) ** 2).sum(axis=2)
    assert (distances[np.arange(200), codes] <= distances.min(axis=1) + 1e-5).all()


def test_a_centroid_without_points_takes_one() -> None:
    points = np.repeat(np.array([[0.0], [1.0]], np.float32), 200, axis=0)
    centroids = np.empty((256, 1), np.float32)
    find_centroids(points, centroids, 3, np.uint64(1))
    assert set(centroids[:, 0].tolist()) == {0.0, 1.0}
