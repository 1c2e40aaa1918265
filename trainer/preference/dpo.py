"""DPO (Rafailov et al., arXiv 2305.18290), as a rule over mean log-ratios per token."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from lauter.trainer.batch import Completions
from lauter.trainer.preference.terms import Terms


@dataclass(frozen=True, slots=True)
class DPO:
    """The loss of each pair: -log sigmoid(beta x (ratio of the chosen - ratio of the rejected)).

    A ratio is log-probability - reference's; length-normalised (Tulu 3, arXiv 2411.15124, section 5.1.1) it is divided
    by the completion's tokens, so that a long completion is not worth more for its length.
    """

    beta: float
    normalised: bool = True

    def __call__(self, log_probabilities: Tensor, completions: Completions) -> Terms:
        """See `PreferenceLoss`: a term for every pair."""
        per = completions.lengths.double() if self.normalised else torch.ones_like(log_probabilities)
        ratios = (log_probabilities - completions.reference) / per
        margins = self.beta * (ratios[0::2] - ratios[1::2])
        pull = -self.beta * torch.sigmoid(-margins)
        slopes = torch.stack((pull / per[0::2], -pull / per[1::2]), 1).flatten()
        return Terms(-logsigmoid(margins), slopes)
