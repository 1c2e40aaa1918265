"""Loss on held-out shards, as a whole and by language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from lauter.trainer.batch import IGNORE, Batch
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.parallel.plan import let_go
from lauter.trainer.parallel.ranks import Ranks

UNKNOWN = "unknown"
"""The language of documents that have none."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Mean cross-entropy in nats, over targets."""

    loss: float
    targets: int
    languages: dict[str, tuple[float, int]]
    """Language -> loss and targets, in the corpus's order; those without any target are left out."""

    def to_json(self) -> dict[str, Any]:
        """As it stands in metrics.jsonl."""
        return {
            "loss": self.loss,
            "targets": self.targets,
            "languages": {name: loss for name, (loss, _) in self.languages.items()},
            "languages_targets": {name: targets for name, (_, targets) in self.languages.items()},
        }


def validate(model: Apertus, batches: Iterator[Batch], languages: Sequence[str], ranks: Ranks) -> HeldOut:
    """Run this rank's batches, as many as every other rank's; sums are over all, so it does not matter who read what.

    Nothing is divided by micro-batches or accumulation (torchtitan#1759): each target counts once.
    """
    losses = torch.zeros(len(languages) + 1, dtype=torch.float64)
    counts = torch.zeros(len(languages) + 1, dtype=torch.float64)
    try:
        for batch in batches:
            found = model.token_losses(batch.to(ranks.device)).double().cpu()
            language = batch.languages.long()
            language = language.where(language >= 0, torch.tensor(len(languages)))
            losses += torch.bincount(language, weights=found, minlength=len(losses))
            counts += torch.bincount(language[batch.labels != IGNORE], minlength=len(counts))
    finally:
        # Also for whoever saves after an error.
        let_go(model)
    totals = ranks.sum([*losses.tolist(), *counts.tolist()])
    by_language = {
        name: (loss / count, int(count))
        for name, loss, count in zip([*languages, UNKNOWN], totals[: len(losses)], totals[len(losses) :], strict=True)
        if count
    }
    targets = sum(count for _, count in by_language.values())
    return HeldOut(sum(totals[: len(losses)]) / targets if targets else float("nan"), targets, by_language)
