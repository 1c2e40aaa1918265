"""Tasks that a model is asked to solve during the run: does it find what stands far back?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lauter.trainer.config.fields import Fraction, Positive, Section

Task = Literal["single", "multi-key", "multi-value", "multi-query", "variable-tracking", "common-words"]


class ProbesSection(Section):
    """Probes (needles, and other tasks of RULER, arXiv 2404.06654); `trainer/probes/` makes them."""

    every_steps: Positive = 500
    lengths: Annotated[tuple[Annotated[int, Field(ge=32)], ...], Field(strict=False, min_length=1)]
    """In tokens; longer ones than `data.sequence_length` may be among them."""
    tasks: Annotated[tuple[Task, ...], Field(strict=False, min_length=1)] = ("single", "multi-key")
    depths: Annotated[tuple[Fraction, ...], Field(strict=False, min_length=1)] = (0.0, 0.25, 0.5, 0.75, 1.0)
    """Where what is asked for stands: 0 at the beginning, 1 right before the question."""
    count: Positive = 4
    """Probes for each task, length and depth."""
