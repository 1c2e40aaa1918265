"""Rotary embeddings: published vectors, and what makes them relative."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lauter.trainer.model.presets import PRESETS
from lauter.trainer.model.rope import cos_sin, inverse_frequencies, rotate

SHAPE = PRESETS["apertus-8b"]


@pytest.mark.parametrize(
    ("theta", "kept", "between", "slowed", "pairs"),
    [
        (
            500_000.0,
            29,
            6,
            29,
            {
                0: 1.0,
                10: 0.128687,
                20: 0.0165604,
                30: 0.00137189,
                31: 0.000856751,
                32: 0.000524846,
                35: 9.55621e-5,
                63: 3.06893e-7,
            },
        ),
        (12_000_000.0, 23, 6, 35, {20: 0.00613417, 30: 6.00543e-5, 63: 1.34382e-8}),
    ],
    ids=["pre-training", "long-context"],
)
def test_frequencies_of_apertus(theta: float, kept: int, between: int, slowed: int, pairs: dict[int, float]) -> None:
    plain = inverse_frequencies(replace(SHAPE, rope_theta=theta, rope_scaling=None)).double()
    scaled = inverse_frequencies(replace(SHAPE, rope_theta=theta)).double()
    ratio = plain / scaled
    assert int((ratio == 1).sum()) == kept
    assert int((ratio == 8).sum()) == slowed
    assert int(((ratio > 1) & (ratio < 8)).sum()) == between
    for pair, value in pairs.items():
        assert scaled[pair].item() == pytest.approx(value, rel=5e-6)


def test_frequencies_are_fp32_on_the_cpu_wherever_they_are_made() -> None:
    with torch.device("meta"):
        frequencies = inverse_frequencies(SHAPE)
    assert frequencies.dtype == torch.float32 and frequencies.device.type == "cpu"


def test_scores_depend_on_the_distance_only() -> None:
    frequencies = inverse_frequencies(SHAPE)
    q, k = (torch.randn(1, 1, 128, dtype=torch.float64, generator=torch.Generator().manual_seed(i)) for i in (1, 2))

    def score(at: int, of: int) -> float:
        turned = [
            rotate(x, *cos_sin(torch.tensor([place]), frequencies, torch.float64)) for x, place in ((q, at), (k, of))
        ]
        return float((turned[0] * turned[1]).sum())

    # Angles are fp32: of the order of 1e-7 x 2,000 radians.
    assert score(5, 2) == pytest.approx(score(2005, 2002), abs=1e-2)
    assert score(5, 2) != pytest.approx(score(5, 3), abs=1e-2)


def test_a_rotation_keeps_lengths() -> None:
    x = torch.randn(3, 2, 128, dtype=torch.float64)
    cos, sin = cos_sin(torch.tensor([0, 1, 4000]), inverse_frequencies(SHAPE), torch.float64)
    turned = rotate(x, cos, sin)
    assert torch.equal(turned[0], x[0])
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1), rtol=1e-6, atol=0)
