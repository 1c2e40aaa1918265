"""How far a run is: a few integers, from which order, schedule and batch size follow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts since the first step, over all ranks."""

    step: int = 0
    """Optimizer steps that were tried, skipped ones included."""
    samples: int = 0
    """Samples consumed: the number of the next one."""
    tokens: int = 0
    """Places in those samples: samples x sequence length. What the schedule goes by."""

    def after(self, samples: int, sequence_length: int) -> Progress:
        """After one more step of this many samples.

        >>> Progress(1, 8, 4096).after(8, 512)
        Progress(step=2, samples=16, tokens=8192)
        """
        return Progress(self.step + 1, self.samples + samples, self.tokens + samples * sequence_length)
