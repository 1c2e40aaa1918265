"""Samples by number, as in `trainer.data.samples`: windows of whole pairs.

A block of pairs is what is decoded at once; its pairs are packed into windows by best fit, both completions of a pair
into one. Blocks are read in their order in the first epoch, and permuted in every later one. Of all pairs their lengths
alone are read at the start: 8 bytes each are held while a block's are counted, and 8 bytes a block for good.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.storage import Storage
from lauter.trainer.batch import Batch
from lauter.trainer.data.cache import RecentlyUsed
from lauter.trainer.data.errors import DataError, UnfitError
from lauter.trainer.data.order import EndlessOrder
from lauter.trainer.data.packing import LeftOut, Plan, plan_windows
from lauter.trainer.preference.folder import block_path, has_block, read_block
from lauter.trainer.preference.pair_windows import PairBlock, pair_batch, pair_block, pair_lengths

ORDER_VERSION = 1
"""Goes up with every change of the order that the same data give."""
STREAM = "pairs"
HELD = 4
"""Blocks in memory: a micro-batch may lie in two, and another one is read ahead."""


class PairSamples:
    """The pairs of a folder of preference data. Safe to use from several threads."""

    def __init__(
        self, storage: Storage, identity: str, blocks: int, *, sequence_length: int, seed: int, pad: int
    ) -> None:
        """`identity`: SHA-256 of all pairs, which the order depends on.

        Raises:
            UnfitError: there is no pair. `DataError`: a block can't be read.
        """
        self.sequence_length = sequence_length
        self._storage, self._pad = storage, pad
        self._key = f"{identity}\0{seed}"
        self._held: RecentlyUsed[int, tuple[PairBlock, Plan]] = RecentlyUsed(HELD)
        plans = ((block, pair_lengths(read_block(storage, "pairs", block))) for block in range(blocks))
        counted = [(len(lengths), self._plan(block, lengths).windows) for block, lengths in plans]
        self.windows = np.array([windows for _, windows in counted], np.int64)
        """Of each block, shape (blocks,)."""
        self.pairs = sum(pairs for pairs, _ in counted)
        if not self.pairs:
            raise UnfitError(
                [
                    f"{storage.root}: no prompt has two completions to learn from (none that was cut at "
                    "references.new_tokens counts); raise that, take another preference.pairs.choice, more "
                    "references.completions, or a longer data.sequence_length"
                ]
            )
        self._order = EndlessOrder(identity, seed, STREAM, self.windows)
        self.order: dict[str, Any] = {
            "version": ORDER_VERSION,
            "seed": seed,
            "sequence_length": sequence_length,
            "streams": {STREAM: {"pairs": self.pairs, "identity": identity}},
        }
        self.left_out: dict[str, LeftOut] = {}
        """Pairs that do not fit a window were never made."""
        self.fingerprint = hashlib.sha256(json.dumps(self.order, sort_keys=True).encode()).hexdigest()

    @property
    def total(self) -> int | None:
        """Without end: epoch follows epoch."""
        return None

    @property
    def epoch(self) -> int:
        """Samples of an epoch."""
        return self._order.total

    def batch(self, numbers: Sequence[int]) -> Batch:
        """One micro-batch, with `completions`.

        Raises:
            DataError: a block can't be read, or its log-probabilities under the reference model are not known.
        """
        windows = []
        for number in numbers:
            (piece,) = self._order.pieces(number, 1)
            content, plan = self._block(piece.group)
            if np.isnan(content.reference).any():
                path = block_path("reference", piece.group)
                raise DataError([f"{self._storage.root}/{path}: is missing; begin the run anew, in another folder"])
            windows.append([(content, pair) for pair in _numbers(content, plan, piece.start)])
        return pair_batch(windows, self.sequence_length, self._pad)

    def block_windows(self, block: int) -> list[list[int]]:
        """Numbers of the pairs of each of a block's windows."""
        content, plan = self._block(block)
        return [_numbers(content, plan, window) for window in range(plan.windows)]

    def block_batch(self, block: int, windows: Sequence[int]) -> Batch:
        """A micro-batch of these windows of a block; those behind its last one are empty."""
        content, plan = self._block(block)
        pairs = [_numbers(content, plan, window) if window < plan.windows else [] for window in windows]
        return pair_batch([[(content, pair) for pair in some] for some in pairs], self.sequence_length, self._pad)

    def forget(self) -> None:
        """Read all blocks anew: there are log-probabilities beside them now."""
        self._held = RecentlyUsed(HELD)

    def go_on(self, read: Mapping[str, Any]) -> list[str]:
        """Another run's reading says nothing here: pairs are read from the first on."""
        return []

    def read(self, samples: int) -> dict[str, Any]:
        """How far, in samples."""
        return {STREAM: {**self.order["streams"][STREAM], "samples_read": samples}}

    def continues(self, order: Mapping[str, Any], samples: int) -> bool:
        """Only where nothing differs: the order has no end that could be moved."""
        return dict(order) == self.order

    def stage_at(self, sample: int) -> str:
        """There is one."""
        return STREAM

    def epochs(self, samples: int) -> dict[str, float]:
        """Of the pairs."""
        return {STREAM: samples / self.epoch}

    def _block(self, block: int) -> tuple[PairBlock, Plan]:
        return self._held.get(block, lambda: self._read(block))

    def _plan(self, block: int, lengths: NDArray[np.int64]) -> Plan:
        return plan_windows(lengths, self.sequence_length, f"{self._key}\0{block}\0windows")

    def _read(self, block: int) -> tuple[PairBlock, Plan]:
        table = read_block(self._storage, "pairs", block)
        known = read_block(self._storage, "reference", block) if has_block(self._storage, "reference", block) else None
        if known is not None and len(known) != len(table):
            path = f"{self._storage.root}/{block_path('reference', block)}"
            raise DataError([f"{path}: has {len(known)} rows for {len(table)} pairs; delete it and begin the run anew"])
        return pair_block(table, known), self._plan(block, pair_lengths(table))


def _numbers(content: PairBlock, plan: Plan, window: int) -> list[int]:
    """Of the pairs in a window of a plan: which they are follows from where they start."""
    starts = plan.starts[int(plan.first[window]) : int(plan.first[window + 1])]
    found: list[int] = np.searchsorted(content.offsets[::2], starts).tolist()
    return found
