"""What a run learned from, in numbers that a model card tells: sums over the whole run and all it began from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Counts:
    """Sums since the first step of the oldest ancestor; a rollback takes them back too."""

    targets: int = 0
    """Labels that carried loss in an update."""
    goldfish_dropped: int = 0
    """Labels that Goldfish left out of these updates."""
    skipped_samples: int = 0
    """Samples that were consumed and not learned from: of steps left out, and passed over after a rollback."""

    def updated(self, *, targets: int, goldfish_dropped: int, passed_over: int) -> Counts:
        """After a step whose gradient was applied, and which began `passed_over` samples further on."""
        return Counts(
            self.targets + targets, self.goldfish_dropped + goldfish_dropped, self.skipped_samples + passed_over
        )

    def skipped(self, samples: int) -> Counts:
        """After a step that was left out, with the samples before it that were passed over."""
        return Counts(self.targets, self.goldfish_dropped, self.skipped_samples + samples)


def counts_of(meta: Mapping[str, Any]) -> Counts:
    """Those of a checkpoint; an import has none."""
    return Counts(**meta.get("counts", {}))
