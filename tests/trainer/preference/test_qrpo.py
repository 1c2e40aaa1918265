"""QRPO against the published vectors, autograd and the optimum in closed form."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lauter.trainer.batch import Completions
from lauter.trainer.preference.qrpo import QRPO, betas, scaled_log_partition

VECTORS = [(50, 0.1, 0.769741), (100, 0.05, 0.850213), (167, 0.02994, 0.894953), (500, 0.01, 0.953948)]
"""Length, beta and beta log Z at Apertus's beta of 5, worked out by hand from arXiv 2509.14233, section 4.3."""
VECTORS += [(2000, 0.0025, 0.985021)]


def known(rewards: list[float], references: list[float], lengths: list[int]) -> Completions:
    wide: dict[str, Any] = {"dtype": torch.float64}
    return Completions(
        torch.empty(0, dtype=torch.int64),
        torch.tensor(rewards, **wide),
        torch.tensor(references, **wide),
        torch.tensor(lengths),
    )


@pytest.mark.parametrize(("length", "beta", "expected"), VECTORS)
def test_betas_and_partition_functions_are_those_worked_out_by_hand(length: int, beta: float, expected: float) -> None:
    found = betas(torch.tensor([length]), 5.0, normalised=True, largest=0.1)
    assert float(found) == pytest.approx(beta, rel=1e-3)
    # The vectors leave out beta ln(1 - e^(-1/beta)), as Apertus's code does: 4.5e-6 at beta 0.1, nothing below.
    left_out = float(found * torch.log1p(-torch.exp(-1 / found)))
    assert float(scaled_log_partition(found)) - left_out == pytest.approx(expected, abs=6e-7)
    assert abs(left_out) < 5e-6


@given(beta=st.floats(1e-3, 50))
def test_the_partition_function_is_the_mean_over_a_uniform_reward(beta: float) -> None:
    found = float(scaled_log_partition(torch.tensor(beta, dtype=torch.float64))) / beta
    # Simpson's rule over R, e^(1/beta) taken out.
    points = 20_001
    r = torch.linspace(0, 1, points, dtype=torch.float64)
    values = torch.exp((r - 1) / beta)
    weights = torch.full((points,), 2.0, dtype=torch.float64)
    weights[1::2] = 4
    weights[0] = weights[-1] = 1
    expected = math.log(float((weights * values).sum()) / 3 / (points - 1)) + 1 / beta
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("beta", [1e3, 1e6])
def test_the_partition_function_of_a_large_beta_is_its_series(beta: float) -> None:
    # beta ln(beta (e^(1/beta) - 1)) = 1/2 + 1/(24 beta) - ...
    found = float(scaled_log_partition(torch.tensor(beta, dtype=torch.float64)))
    assert found == pytest.approx(0.5 + 1 / (24 * beta), abs=1e-7)


def test_the_loss_is_that_worked_out_by_hand() -> None:
    # 500 tokens: a reward of 1 asks for a log-ratio of 4.6 nats, one of 0 for -95.4.
    loss = QRPO(beta=5.0)
    at_best = loss(
        torch.tensor([-300 + 4.6052, -300 - 95.3948], dtype=torch.float64), known([1, 0], [-300, -300], [500] * 2)
    )
    assert at_best.losses.max() < 1e-9
    terms = loss(torch.tensor([-300.0, -300.0], dtype=torch.float64), known([1, 0], [-300, -300], [500, 500]))
    assert terms.losses.tolist() == pytest.approx([(1 - 0.953948) ** 2, 0.953948**2], rel=1e-4)
    assert terms.slopes.tolist() == pytest.approx([-2 * 0.01 * 0.046052, 2 * 0.01 * 0.953948], rel=1e-4)


@given(
    st.lists(st.tuples(st.floats(-50, 0), st.floats(-50, 0), st.floats(0, 1), st.integers(1, 900)), min_size=1),
    st.booleans(),
)
def test_slopes_are_the_derivative(some: list[tuple[float, float, float, int]], normalised: bool) -> None:  # noqa: FBT001
    found, reference, rewards, lengths = (list(column) for column in zip(*some, strict=True))
    values = torch.tensor(found, dtype=torch.float64, requires_grad=True)
    terms = QRPO(beta=0.7, normalised=normalised, largest_beta=0.4)(values, known(rewards, reference, lengths))
    (expected,) = torch.autograd.grad(terms.losses.sum(), values)
    assert torch.allclose(terms.slopes.detach(), expected, rtol=1e-12, atol=1e-14)


def descended(rewards: list[float], shares: list[float], beta: float, loss: QRPO) -> Tensor:
    """The policy over completions where the loss, weighted with the reference's shares, has its minimum."""
    reference = torch.tensor(shares, dtype=torch.float64).log()
    logits = reference.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([logits], lr=1, max_iter=500, tolerance_grad=1e-14, tolerance_change=1e-16)
    facts = known(rewards, reference.tolist(), [1] * len(rewards))

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = (reference.exp() * loss(logits.log_softmax(0), facts).losses).sum()
        value.backward()
        return value

    optimizer.step(closure)
    return logits.detach().softmax(0)


def test_two_completions_come_to_the_optimum_in_closed_form() -> None:
    # pi* = pi_ref exp(R / beta) / Z with the exact Z. Two completions whose shares are such that Z is that of a uniform
    # reward: then the residuals are 0 at pi*, and a regression finds it.
    beta = 0.5
    z = beta * (math.exp(1 / beta) - 1)
    low, high = 0.2, 0.9
    share = (z - math.exp(low / beta)) / (math.exp(high / beta) - math.exp(low / beta))
    shares = [1 - share, share]
    found = descended([low, high], shares, beta, QRPO(beta, normalised=False, largest_beta=None))
    wanted = torch.tensor([shares[0] * math.exp(low / beta) / z, shares[1] * math.exp(high / beta) / z]).double()
    assert float(wanted.sum()) == pytest.approx(1.0, rel=1e-6)
    assert torch.allclose(found, wanted, rtol=1e-6)


def test_many_completions_with_uniform_rewards_come_near_it() -> None:
    # What n references make: rewards k / n. The closed form holds but for the step of 1 / n.
    n, beta = 200, 0.2
    rewards = [(k + 0.5) / n for k in range(n)]
    found = descended(rewards, [1 / n] * n, beta, QRPO(beta, normalised=False, largest_beta=None))
    wanted = torch.softmax(torch.tensor(rewards, dtype=torch.float64) / beta, 0)
    assert torch.allclose(found, wanted, rtol=1e-3)
    # The theory that the demonstration is held against: a mean reward of 0.807 at 0.65 nats.
    r = torch.tensor(rewards, dtype=torch.float64)
    assert float((found * r).sum()) == pytest.approx(0.807, abs=1e-3)
    assert float((found * (found * n).log()).sum()) == pytest.approx(0.65, abs=0.01)
