"""Low-rank adaptation, LoRA (Hu et al., arXiv 2106.09685): what is trained where the weights themselves stay."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lauter.trainer.config.fields import Number, Positive, Section

Target = Literal["q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj"]
TARGETS: tuple[Target, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj")


class LoraSection(Section):
    """y = x W^T + (alpha / rank) (x A^T) B^T, of which A and B are trained. There is no dropout, as in the whole model.

    The defaults are those of swiss-ai/apertus-finetuning-recipes.
    """

    rank: Positive = 8
    """Rows of A and columns of B."""
    alpha: Annotated[Number, Field(gt=0)] = 16.0
    targets: Annotated[tuple[Target, ...], Field(strict=False, min_length=1)] = TARGETS
    """Products of every layer that have such parts."""

    @property
    def scale(self) -> float:
        """What the low-rank product is multiplied with."""
        return self.alpha / self.rank
