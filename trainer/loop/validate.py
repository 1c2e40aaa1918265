"""Loss on held-out shards, as a whole and by language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from lauter.trainer.batch import IGNORE, Batch
from lauter.trainer.loop.unigram import entropy, label_counts
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.parallel.axes import Axes
from lauter.trainer.parallel.passes import Passes
from lauter.trainer.parallel.plan import let_go

UNKNOWN = "unknown"
"""The language of documents that have none."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Mean cross-entropy in nats, over targets."""

    loss: float
    targets: int
    languages: dict[str, tuple[float, int]]
    """Language -> loss and targets, in the corpus's order; those without any target are left out."""
    unigram_entropy: float
    """Of the very same targets, in nats: the least that a model reaches which knows their frequencies and no more."""

    def to_json(self) -> dict[str, Any]:
        """As it stands in metrics.jsonl."""
        return {
            "loss": self.loss,
            "targets": self.targets,
            "unigram_entropy": self.unigram_entropy,
            "languages": {name: loss for name, (loss, _) in self.languages.items()},
            "languages_targets": {name: targets for name, (_, targets) in self.languages.items()},
        }


def held_out_of(line: Mapping[str, Any]) -> HeldOut | None:
    """What a line of metrics.jsonl tells; none where it has no held-out loss, or one that is no number."""
    told = line.get("held_out")
    if told is None or told["loss"] is None:
        return None
    languages = {name: (loss, told["languages_targets"][name]) for name, loss in told["languages"].items()}
    return HeldOut(told["loss"], told["targets"], languages, told["unigram_entropy"])


def validate(model: Apertus, passes: Passes, batches: Iterator[Batch], languages: Sequence[str], axes: Axes) -> HeldOut:
    """Run this rank's batches, as many as every other rank's; sums are over all, so it does not matter who read what.

    Nothing is divided by micro-batches or accumulation (torchtitan#1759): each target counts once.
    """
    losses = torch.zeros(len(languages) + 1, dtype=torch.float64)
    counts = torch.zeros(len(languages) + 1, dtype=torch.float64)
    ids = torch.zeros(model.shape.vocabulary, dtype=torch.float64)
    try:
        for batch, found in passes.token_losses(batches):
            if not axes.counts_loss:
                continue
            language = batch.languages.long()
            language = language.where(language >= 0, torch.tensor(len(languages)))
            losses += torch.bincount(language, weights=found.double().cpu(), minlength=len(losses))
            counts += torch.bincount(language[batch.labels != IGNORE], minlength=len(counts))
            ids += label_counts(batch.labels, len(ids))
    finally:
        # Also for whoever saves after an error.
        let_go(model)
    totals = axes.ranks.sum([*losses.tolist(), *counts.tolist()])
    by_language = {
        name: (loss / count, int(count))
        for name, loss, count in zip([*languages, UNKNOWN], totals[: len(losses)], totals[len(losses) :], strict=True)
        if count
    }
    targets = sum(count for _, count in by_language.values())
    loss = sum(totals[: len(losses)]) / targets if targets else float("nan")
    seen = torch.tensor(axes.ranks.sum(ids.tolist()), dtype=torch.float64)
    return HeldOut(loss, targets, by_language, entropy(seen))
