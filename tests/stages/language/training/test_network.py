from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.language.training.network import (
    add_mean,
    back,
    change_output,
    change_rows,
    fill_uniform,
    multiply,
    raised_logits,
    softmax,
)
from tests.stages.language.training.examples import recipe


def test_a_product_is_that_of_numpy() -> None:
    random = np.random.default_rng(1)
    left, right = random.normal(size=(8, 32)).astype(np.float32), random.normal(size=(32, 512)).astype(np.float32)
    product = np.full((8, 512), 7, np.float32)
    multiply(left, right, product)
    assert np.allclose(product, left.astype(np.float64) @ right, atol=1e-4)


def test_a_product_adds_in_the_order_that_is_told() -> None:
    random = np.random.default_rng(2)
    left, right = random.normal(size=(4, 8)).astype(np.float32), random.normal(size=(8, 256)).astype(np.float32)
    product = np.empty((4, 256), np.float32)
    multiply(left, right, product)
    for row in range(4):
        total = np.zeros(256, np.float32)
        for k in range(8):
            total = total + left[row, k] * right[k]
        assert (product[row] == total).all()


@given(st.lists(st.floats(-200, 200, width=32), min_size=1, max_size=70))
def test_softmax_is_that_of_doubles(values: list[float]) -> None:
    logits = np.array(values, np.float32)
    expected = np.exp(logits.astype(np.float64) - logits.max())
    expected /= expected.sum()
    softmax(logits, len(values), np.zeros(len(values), np.int32), np.zeros(16, np.float32))
    assert np.allclose(logits, expected, rtol=2e-6, atol=1e-30)


def test_gradients_are_those_of_the_loss() -> None:
    random = np.random.default_rng(3)
    labels, dim, smoothing = 9, 16, 0.1
    output, hidden = random.normal(size=(labels, dim)), random.normal(size=dim)
    target = np.full(labels, smoothing / labels)
    target[4] += 1 - smoothing

    def loss(weights: np.ndarray, mean: np.ndarray) -> float:
        logits = weights @ mean
        return float(np.log(np.exp(logits).sum()) - target @ logits)

    probabilities = np.exp(output @ hidden) / np.exp(output @ hidden).sum()
    error, gradient = np.zeros(dim, np.float32), np.zeros((labels, dim), np.float32)
    touched = np.zeros(labels, np.bool_)
    back(
        probabilities.astype(np.float32), 4, labels, smoothing, output.astype(np.float32), hidden.astype(np.float32),
        error, gradient, touched,
    )  # fmt: skip
    step = 1e-5
    for column in range(dim):
        moved = hidden.copy()
        moved[column] += step
        assert error[column] == pytest.approx((loss(output, moved) - loss(output, hidden)) / step, abs=1e-3)
    for label in range(labels):
        weights = output.copy()
        weights[label, 3] += step
        assert gradient[label, 3] == pytest.approx((loss(weights, hidden) - loss(output, hidden)) / step, abs=1e-3)
    assert touched.all()


def test_a_mean_of_no_features_is_zero() -> None:
    mean = np.zeros(16, np.float32)
    add_mean(np.ones((3, 16), np.float32), np.array([1, 2], np.int32), 0, mean)
    assert not mean.any()
    add_mean(np.arange(48, dtype=np.float32).reshape(3, 16), np.array([1, 2], np.int32), 2, mean)
    assert (mean == np.arange(24, 40)).all()


def test_steps_are_adagrads() -> None:
    rows, sums = np.zeros((2, 16), np.float32), np.full(2, 1e-12, np.float32)
    error = np.full(16, 0.5, np.float32)
    for time in (1, 2):
        change_rows(rows, sums, np.array([1], np.int32), 1, error, np.float32(0.1), np.zeros(16, np.float32))
        assert sums[1] == pytest.approx(0.25 * time)
    assert rows[1] == pytest.approx(np.full(16, -0.1 - 0.1 / np.sqrt(2)), rel=1e-5)
    assert not rows[0].any()
    output, squares = np.zeros((2, 16), np.float32), np.zeros((2, 16), np.float32)
    gradient, touched = np.full((2, 16), 2, np.float32), np.array([True, False])
    change_output(output, squares, gradient, touched, 2, np.float32(0.1))
    assert output[0] == pytest.approx(np.full(16, -0.1))
    assert not output[1].any() and not gradient[0].any() and gradient[1].all() and not touched.any()


def test_first_rows_are_uniform() -> None:
    values = np.empty(100_000, np.float32)
    fill_uniform(values, np.float32(0.5), np.uint64(3))
    assert np.abs(values).max() <= 0.5
    assert abs(float(values.mean())) < 0.005
    assert float(values.std()) == pytest.approx(1 / np.sqrt(12), abs=0.005)


def test_labels_with_many_types_are_raised_in_training_and_favoured_ones_are_not() -> None:
    network = recipe(adjustment=0.5).network.model_copy(update={"favoured": {"deu_Latn": 2.0}})
    raised = raised_logits(["aaa_Latn", "bbb_Latn", "deu_Latn"], np.array([0, 99, 9999]), network)
    assert raised == pytest.approx([0, 0.5 * np.log(100), 0.5 * np.log(10000) - 2], abs=1e-3)
    assert (raised * 1024 == np.rint(raised * 1024)).all()
