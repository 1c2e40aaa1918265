from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import skewnorm

from lauter.trainer.memorisation.skew_normal import SkewNormal, fit, log2_below


@pytest.mark.parametrize("shape", [-4.0, 0.0, 3.0])
def test_tail_is_scipys(shape: float) -> None:
    fitted = SkewNormal(5, 2, shape)
    for bound in (-9.0, 1.0, 4.2, 7.0, 20.0, 60.0):
        expected = skewnorm.logcdf(bound, shape, 5, 2) / math.log(2)
        assert log2_below(bound, fitted) == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_a_sample_of_one_is_found_again() -> None:
    sample = torch.from_numpy(skewnorm.rvs(3, loc=5, scale=2, size=50_000, random_state=1))
    found = fit(sample)
    assert found == pytest.approx((5, 2, 3), abs=0.15)
    assert fit(-sample).shape == pytest.approx(-found.shape)
    assert math.isfinite(log2_below(1.0, fit(torch.ones(4, dtype=torch.float64))))
