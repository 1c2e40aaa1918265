from __future__ import annotations

import numpy as np
import pytest

from lauter.stages.classifier.calibration import fit_offset, fit_platt, fit_temperature


def drawn(
    slope: float, offset: float
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    logits = np.linspace(-4, 4, 20_001)
    chance = 1 / (1 + np.exp(-(slope * logits + offset)))
    # Low-discrepancy numbers in the place of random ones: the labels have the probabilities they should.
    return logits, (np.arange(len(logits)) * 0.6180339887498949) % 1 < chance


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (2.5, -1.0), (0.4, 0.7)])
def test_slope_and_offset_are_found_again(slope: float, offset: float) -> None:
    logits, positive = drawn(slope, offset)
    found = fit_platt(logits, positive, np.ones(len(logits)))
    assert found == pytest.approx((slope, offset), abs=0.03)
    assert all((value * 1024).is_integer() for value in found)
    assert fit_offset(slope * logits, positive, np.ones(len(logits))) == pytest.approx(offset, abs=0.03)


def test_classes_wholly_apart_do_not_reach_certainty() -> None:
    logits = np.array([-1.0, -1.0, 1.0, 1.0])
    slope, offset = fit_platt(logits, logits > 0, np.ones(4))
    assert 0.7 < 1 / (1 + np.exp(-(slope + offset))) < 0.8  # Platt's target for two texts: (2 + 1) / (2 + 2)


def test_weights_are_how_often_a_text_counts() -> None:
    logits, positive = np.array([0.2, 0.4, -0.3, 0.5, -0.6]), np.array([True, False, False, True, True])
    weights = np.array([2.0, 1, 3, 1, 1])
    often = np.repeat(np.arange(5), weights.astype(int))
    assert fit_platt(logits, positive, weights) == fit_platt(logits[often], positive[often], np.ones(len(often)))


def test_the_temperature_of_logits_that_were_made_too_sure() -> None:
    logits, positive = drawn(1.0, 0.0)
    two = np.stack([np.zeros_like(logits), 3 * logits], axis=1)
    assert fit_temperature(two, positive.astype(np.int64)) == pytest.approx(3, abs=0.1)


def test_one_class_alone_is_an_error() -> None:
    with pytest.raises(ValueError, match="both classes"):
        fit_platt(np.ones(3), np.ones(3, np.bool_), np.ones(3))
    with pytest.raises(ValueError, match="both classes"):
        fit_offset(np.ones(3), np.zeros(3, np.bool_), np.ones(3))
    with pytest.raises(ValueError, match="needs texts"):
        fit_temperature(np.ones((0, 2)), np.zeros(0, np.int64))
