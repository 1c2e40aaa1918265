"""Makes the rows of features small: a product quantiser of their directions, and one of their lengths.

As fastText's `qnorm` (A. Joulin et al., arXiv:1612.03651, section 3.2): each row is divided by its norm; its parts of a
few numbers become the nearest of 256 centroids, one byte; the norm becomes the nearest of 256 numbers. Centroids are
found by k-means (S. Lloyd, IEEE TIT 28, 1982) on rows taken by the number of their uses, because an error in a row that
half of all lines have costs more than one in a row that is met once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.language.training.numbers import below, key_of, number
from lauter.stages.language.training.recipe import Quantisation

CENTROIDS = 256
_FAR = np.float32(3e38)


class Quantised(NamedTuple):
    """A matrix of rows."""

    codes: NDArray[np.uint8]
    """Shape (rows, parts)."""
    centroids: NDArray[np.float32]
    """Shape (parts, 256, part)."""
    norm_codes: NDArray[np.uint8]
    """Shape (rows,)."""
    norms: NDArray[np.float32]
    """Shape (256,)."""


def quantise(rows: NDArray[np.float32], uses: NDArray[np.int64], recipe: Quantisation, seed: int) -> Quantised:
    """Quantise rows of shape (n, dim), of which row i is used `uses[i]` times.

    Raises:
        ValueError: The parts of the recipe do not divide the dimension.
    """
    if rows.shape[1] % recipe.part:
        raise ValueError(f"quantisation.part {recipe.part} does not divide network.dim {rows.shape[1]}")
    parts = rows.shape[1] // recipe.part
    norms, directions = np.empty(len(rows), np.float32), np.empty_like(rows)
    normalise_rows(rows, norms, directions)
    sample = np.empty(recipe.sample, np.int64)
    draw_by_uses(np.cumsum(uses, dtype=np.uint64), key_of(seed, "sample"), sample)
    codes, centroids = np.empty((len(rows), parts), np.uint8), np.empty((parts, CENTROIDS, recipe.part), np.float32)
    for place in range(parts):
        column = np.ascontiguousarray(directions[:, place * recipe.part : (place + 1) * recipe.part])
        find_centroids(column[sample], centroids[place], recipe.iterations, key_of(seed, "centroids", place))
        assign(column, centroids[place], codes[:, place])
    norm_codes, norm_centroids = np.empty(len(rows), np.uint8), np.empty((CENTROIDS, 1), np.float32)
    find_centroids(norms[sample][:, None], norm_centroids, recipe.iterations, key_of(seed, "centroids", parts))
    assign(norms[:, None], norm_centroids, norm_codes)
    return Quantised(codes, centroids, norm_codes, norm_centroids[:, 0].copy())


@kernel
def restore_rows(quantised: Quantised, rows: NDArray[np.float32]) -> None:
    """Set `rows`, shape (n, dim), to what the codes stand for."""
    width = quantised.centroids.shape[2]
    for row in range(rows.shape[0]):
        norm = quantised.norms[quantised.norm_codes[row]]
        for place in range(quantised.codes.shape[1]):
            centroid = quantised.centroids[place, quantised.codes[row, place]]
            for column in range(width):
                rows[row, place * width + column] = norm * centroid[column]


@kernel
def normalise_rows(rows: NDArray[np.float32], norms: NDArray[np.float32], directions: NDArray[np.float32]) -> None:
    """Split rows (n, dim) into their lengths and their directions; a row of zeros has direction 0."""
    for row in range(rows.shape[0]):
        square = np.float32(0)
        for column in range(rows.shape[1]):
            square += rows[row, column] * rows[row, column]
        norms[row] = np.sqrt(square)
        share = np.float32(1) / norms[row] if norms[row] > 0 else np.float32(0)
        for column in range(rows.shape[1]):
            directions[row, column] = rows[row, column] * share


@kernel
def draw_by_uses(cumulative: NDArray[np.uint64], key: np.uint64, sample: NDArray[np.int64]) -> None:
    """Fill `sample` with places of `cumulative` (n,), half of them by their uses and half of them evenly."""
    for place in range(sample.size):
        if place % 2:
            sample[place] = below(number(key, place), cumulative.size)
        else:
            sample[place] = np.searchsorted(cumulative, number(key, place) % cumulative[-1], side="right")


@kernel
def find_centroids(
    points: NDArray[np.float32], centroids: NDArray[np.float32], iterations: int, key: np.uint64
) -> None:
    """K-means from points drawn at random; a centroid that loses all its points takes a random one.

    Args:
        points: Shape (n, part).
        centroids: Shape (256, part), filled.
        iterations: Rounds.
        key: Of the random numbers.
    """
    count, width = points.shape
    for centroid in range(CENTROIDS):
        centroids[centroid] = points[below(number(key, centroid), count)]
    codes = np.empty(count, np.uint8)
    sums, sizes = np.empty((CENTROIDS, width), np.float64), np.empty(CENTROIDS, np.int64)
    for iteration in range(iterations):
        assign(points, centroids, codes)
        sums[:] = 0
        sizes[:] = 0
        for point in range(count):
            sizes[codes[point]] += 1
            for column in range(width):
                sums[codes[point], column] += points[point, column]
        for centroid in range(CENTROIDS):
            if sizes[centroid] == 0:
                other = below(number(key, (iteration + 1) * CENTROIDS + centroid), count)
                centroids[centroid] = points[other]
                continue
            for column in range(width):
                centroids[centroid, column] = np.float32(sums[centroid, column] / sizes[centroid])


@kernel
def assign(points: NDArray[np.float32], centroids: NDArray[np.float32], codes: NDArray[np.uint8]) -> None:
    """The nearest centroid of each point, the first of several: `codes`, shape (n,), filled."""
    width = points.shape[1]
    across = np.ascontiguousarray(centroids.T)
    distances = np.empty(CENTROIDS, np.float32)
    for point in range(points.shape[0]):
        distances[:] = 0
        for column in range(width):
            value, line = points[point, column], across[column]
            for centroid in range(CENTROIDS):
                away = value - line[centroid]
                distances[centroid] += away * away
        best, nearest = _FAR, 0
        for centroid in range(CENTROIDS):
            if distances[centroid] < best:
                best, nearest = distances[centroid], centroid
        codes[point] = nearest
