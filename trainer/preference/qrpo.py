"""QRPO: a regression of each completion's log-ratio on its quantile reward (Matrenok et al., arXiv 2507.08068)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lauter.trainer.batch import Completions
from lauter.trainer.preference.terms import Terms


def betas(lengths: Tensor, beta: float, *, normalised: bool, largest: float | None) -> Tensor:
    """Beta of completions of so many tokens, shape (n,), fp64: beta, or beta / length; at most `largest`.

    Apertus has beta 5 over the length, at most 0.1 (arXiv 2509.14233, section 4.3).

    >>> betas(torch.tensor([10, 100]), 5.0, normalised=True, largest=0.1).tolist()
    [0.1, 0.05]
    """
    found = torch.full(lengths.shape, beta, dtype=torch.float64)
    if normalised:
        found = found / lengths
    return found if largest is None else found.clamp(max=largest)


def scaled_log_partition(beta: Tensor) -> Tensor:
    """Beta x log Z for Z = beta x (e^(1/beta) - 1), the mean of e^(R/beta) over a uniform R; shape and dtype as `beta`.

    That is beta x ln(beta) + 1 + beta x ln(1 - e^(-1/beta)); Apertus's code leaves out the last part, which is -4.5e-6
    at beta 0.1 and -1e-10 at 0.05. Here it stays, so that any beta is exact: `expm1`, as 1 - e^(-1/beta) would lose a
    digit with every tenfold of a beta above 1.
    """
    return beta * beta.log() + 1 + beta * torch.log(-torch.expm1(-1 / beta))


@dataclass(frozen=True, slots=True)
class QRPO:
    """The loss of each completion: (R - beta log Z - beta (log-probability - reference's))^2."""

    beta: float
    normalised: bool = True
    """Whether beta is divided by the completion's length, in the log-ratio and in Z alike."""
    largest_beta: float | None = 0.1

    def __call__(self, log_probabilities: Tensor, completions: Completions) -> Terms:
        """See `PreferenceLoss`: a term for every completion, whether chosen or rejected."""
        beta = betas(completions.lengths, self.beta, normalised=self.normalised, largest=self.largest_beta)
        ratios = log_probabilities - completions.reference
        residuals = completions.rewards - scaled_log_partition(beta) - beta * ratios
        return Terms(residuals.square(), -2 * beta * residuals)
