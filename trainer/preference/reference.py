"""Log-probabilities of the pairs under the reference model, found once and kept beside the pairs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lauter.pipeline.storage import Storage
from lauter.trainer.parallel.axes import Axes
from lauter.trainer.parallel.passes import Passes
from lauter.trainer.preference.folder import has_block, write_block
from lauter.trainer.preference.objective import all_log_probabilities
from lauter.trainer.preference.samples import PairSamples


def find_reference(
    passes: Passes,
    axes: Axes,
    samples: PairSamples,
    storage: Storage,
    *,
    micro: int,
    tell: Callable[[str], None],
) -> None:
    """Fill in the blocks that are missing; called by all ranks while the model is the reference model.

    Each block is one go: its windows are dealt out to the ranks that read data, in micro-batches of `micro` windows, as
    in training; windows that are lacking at the end are empty. The first rank writes.
    """
    blocks = range(len(samples.windows))
    missing = [float(axes.ranks.first and not has_block(storage, "reference", block)) for block in blocks]
    due = [block for block, one in zip(blocks, axes.ranks.sum(missing), strict=True) if one]
    for number, block in enumerate(due, 1):
        windows = samples.block_windows(block)
        share = -(-len(windows) // (micro * axes.data_ranks)) * micro
        first = axes.data_rank * share
        batches = [samples.block_batch(block, range(at, at + micro)) for at in range(first, first + share, micro)]
        found, _ = all_log_probabilities(passes, batches, axes)
        if axes.ranks.first:
            values = np.empty((sum(map(len, windows)), 2))
            values[[pair for window in windows for pair in window]] = found.numpy().reshape(-1, 2)
            rows = [{"chosen": chosen, "rejected": rejected} for chosen, rejected in values.tolist()]
            write_block(storage, "reference", block, rows)
        tell(f"reference log-probabilities: block {number} of {len(due)}")
    # Whoever reads on must find all of them.
    axes.ranks.barrier()
    samples.forget()
