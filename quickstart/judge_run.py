"""`python -m quickstart.judge_run RUN`: has a model learnt more than how often each token comes?

Prints the loss on the held-out shards and the unigram entropy of the very same tokens, both in nats: the least that a
model reaches which knows nothing but frequencies, and knows those of the held-out tokens exactly. The exit code is 1
where the loss is not at least 15 % below.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

WANTED = 0.15
"""Share of the entropy by which the loss must be below it."""


def held_out_loss(run: Path) -> tuple[float, int]:
    """The last loss that the run measured on held-out shards, and its targets.

    Raises:
        ValueError: it has measured none.
    """
    found: tuple[float, int] | None = None
    with (run / "metrics.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            held_out = json.loads(line).get("held_out")
            if held_out is not None:
                found = held_out["loss"], held_out["targets"]
    if found is None:
        raise ValueError(f"{run} has no held-out loss yet: its config needs `validation`, and the run must end")
    return found


def held_out_entropy(run: Path) -> tuple[float, int]:
    """Unigram entropy of the labels on which that loss was measured, and how many they are.

    Raises:
        ValueError: they are none, or the run's corpus is not there any more.
    """
    import torch

    from lauter.trainer.batch import IGNORE
    from lauter.trainer.config.sections import RunSection
    from lauter.trainer.data.corpus import DataError, open_corpora
    from lauter.trainer.data.held_out import validation_batches

    section = RunSection.model_validate_json((run / "config.json").read_text(encoding="utf-8"))
    if section.validation is None:
        raise ValueError(f"{run} was trained without `validation`")
    try:
        corpus = open_corpora(section.data)
    except DataError as error:
        raise ValueError(str(error)) from error
    counts = torch.zeros(corpus.tokenizer.ids, dtype=torch.float64)
    for batch in validation_batches(
        corpus, section.data, sequences=section.validation.sequences, micro=section.batch.micro, rank=0, ranks=1
    ):
        counts += torch.bincount(batch.labels[batch.labels != IGNORE], minlength=len(counts))
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * shares.log()).sum()), int(counts.sum())


def judge(run: Path) -> tuple[float, float, int]:
    """Loss and entropy of a run, and the tokens that both are of.

    Raises:
        ValueError: one of them can't be had, or they are not of the same tokens.
    """
    loss, targets = held_out_loss(run)
    entropy, counted = held_out_entropy(run)
    if counted != targets:
        raise ValueError(f"{run} measured its loss on {targets:,} tokens, its corpus now has {counted:,}")
    return loss, entropy, targets


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge the run that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m quickstart.judge_run", description="Judge a run.")
    parser.add_argument("run", type=Path, help="the run folder of `lauter train`")
    run = parser.parse_args(arguments).run
    try:
        loss, entropy, targets = judge(run)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"judge_run: {error}\n")
        return 1
    below = 1 - loss / entropy
    sys.stdout.write(
        f"held-out loss    {loss:.4f} nats over {targets:,} tokens\n"
        f"unigram entropy  {entropy:.4f} nats, of the same tokens\n"
        f"below it by      {below:.1%}, at least {WANTED:.0%} is wanted\n"
    )
    return 0 if below >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
