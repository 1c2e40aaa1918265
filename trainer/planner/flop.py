"""Floating-point operations of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lauter.trainer.model.shape import ModelShape


@dataclass(frozen=True, slots=True)
class Flop:
    """Of one token, forward and backward."""

    model: int
    """What the model's mathematics take: what MFU counts (arXiv 2204.02311, appendix B), causal attention halved."""
    full_attention: int
    """As if every token attended to the whole context: what is published often counts so. Apertus's 6.74e24 for 70B and
    15 trillion tokens (arXiv 2509.14233, section 6) is this number to 0.1 %; the causal one is 3.6 % less."""
    recomputed: int
    """Computed once more, on top of `model`."""

    @property
    def computed(self) -> int:
        """What the devices do."""
        return self.model + self.recomputed


def flop(shape: ModelShape, context: int, recompute: Literal["none", "selective", "full"]) -> Flop:
    """Counts for a sequence length of `context`, one document a sequence.

    A weight that multiplies takes 2 operations forward and 4 backward; attention 2 x 2 x width x context / 2 forward
    a layer and token. `full` computes the layers' forward pass again, `selective` the MLP's first product (see
    `parallel.recompute`); neither computes the output layer again.
    """
    attention = 6 * shape.layers * shape.heads * shape.head_dim * context
    again = {
        "none": 0,
        "selective": 2 * shape.layers * shape.hidden * shape.feed_forward,
        "full": 2 * shape.layers * shape.layer_parameters + attention // 3,
    }
    model = shape.flop_per_token(context)
    return Flop(model, model + attention, again[recompute])
