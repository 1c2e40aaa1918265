"""The output layer: from hidden states to logits, or to losses without ever holding the logits."""

from __future__ import annotations

from torch import Tensor

from lauter.trainer.loss.cross_entropy import LossTerms, linear_cross_entropy, token_hits, token_losses
from lauter.trainer.loss.vocabulary import Share
from lauter.trainer.model.linear import Linear
from lauter.trainer.model.local import local


class OutputLayer(Linear):
    """One row of the weight for every id, or for those of this rank's share."""

    share: Share | None = None
    """Which ids the rows of this rank are of; None: all."""

    def loss(
        self, hidden: Tensor, labels: Tensor, *, normaliser: float, z_loss: float, weights: Tensor | None
    ) -> LossTerms:
        """See `linear_cross_entropy`: hidden (T, d), labels and weights (T,)."""
        weight = local(self.weight)
        return linear_cross_entropy(
            hidden, weight, labels, normaliser=normaliser, z_loss=z_loss, weights=weights, share=self.share
        )

    def token_losses(self, hidden: Tensor, labels: Tensor) -> Tensor:
        """See `cross_entropy.token_losses`: shape (T,)."""
        return token_losses(hidden, local(self.weight), labels, share=self.share)

    def token_hits(self, hidden: Tensor, labels: Tensor) -> Tensor:
        """See `cross_entropy.token_hits`: shape (T,)."""
        return token_hits(hidden, local(self.weight), labels, share=self.share)
