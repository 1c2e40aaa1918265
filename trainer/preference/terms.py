"""What a preference loss gives: its terms, and how each completion's log-probability moves them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from lauter.trainer.batch import Completions


class Terms(NamedTuple):
    """All in fp64, on the host."""

    losses: Tensor
    """Shape (terms,): a term is a completion, or a pair. The loss of a step is their mean over all ranks."""
    slopes: Tensor
    """Derivative of the sum of the losses by each completion's log-probability, shape (n,)."""


PreferenceLoss = Callable[[Tensor, Completions], Terms]
"""Log-probabilities of n completions under the model, shape (n,), fp64, in nats; and what is known of them."""
