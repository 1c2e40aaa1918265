"""Puts one micro-batch together from pieces of row groups."""

from __future__ import annotations

import numpy as np
import torch

from lauter.trainer.batch import Batch, Bounds
from lauter.trainer.config.sections import GoldfishSection
from lauter.trainer.data.shard import RowGroup
from lauter.trainer.data.windows import (
    count_targets,
    ignore_dropped,
    ignore_outside,
    longest,
    write_padding,
    write_places,
)
from lauter.trainer.loss.goldfish import dropped


class WindowWriter:
    """A batch of `windows` windows of `sequence_length` places, written from the front."""

    def __init__(self, windows: int, sequence_length: int, pad: int, goldfish: GoldfishSection | None) -> None:
        total = windows * sequence_length
        self._sequence_length = sequence_length
        self._pad = pad
        self._goldfish = goldfish
        self._at = 0
        self._tokens = np.empty(total, np.int64)
        self._labels = np.empty(total, np.int64)
        self._positions = np.empty(total, np.int32)
        self._languages = np.empty(total, np.int16)
        self._ends = np.zeros(total + 1, np.int32)
        self._documents = 0
        self._goldfish_dropped = 0

    def add(self, group: RowGroup, start: int, end: int) -> None:
        """Write the places [start, end) of a row group."""
        first = self._at
        self._documents = write_places(
            group.tokens,
            group.offsets,
            group.languages,
            group.removed,
            start,
            end,
            first,
            self._tokens,
            self._labels,
            self._positions,
            self._languages,
            self._ends,
            self._documents,
        )
        self._at += end - start
        if group.loss_spans is not None:
            ignore_outside(self._labels[first : self._at], group.loss_spans, start + 1)
        if self._goldfish is not None:
            self._drop(group, start, end, first, self._goldfish)

    def end_window(self) -> None:
        """Fill the present window with padding; nothing where one has just been filled or none was begun."""
        end = -(-self._at // self._sequence_length) * self._sequence_length
        self._fill(end)

    def batch(self) -> Batch:
        """The whole batch. Windows that were not written are padding."""
        self.end_window()
        while self._at < len(self._tokens):
            self._fill(self._at + self._sequence_length)
        ends = self._ends[: self._documents + 1].copy()
        return Batch(
            torch.from_numpy(self._tokens),
            torch.from_numpy(self._labels),
            torch.from_numpy(self._positions),
            Bounds(torch.from_numpy(ends), int(longest(ends))),
            torch.from_numpy(self._languages),
            int(count_targets(self._labels)),
            self._goldfish_dropped,
        )

    def _fill(self, end: int) -> None:
        self._documents = write_padding(
            self._pad,
            self._at,
            end,
            self._tokens,
            self._labels,
            self._positions,
            self._languages,
            self._ends,
            self._documents,
        )
        self._at = end

    def _drop(self, group: RowGroup, start: int, end: int, first: int, goldfish: GoldfishSection) -> None:
        # The label of place p is token p + 1: it and the h - 1 tokens before it are hashed, so those are given as well,
        # as far back as the document goes. The last place of the row group has no label.
        end_of_labels = min(end + 1, len(group.tokens))
        row = int(np.searchsorted(group.offsets, start, "right")) - 1
        context = max(int(group.offsets[row]), start + 1 - (goldfish.h - 1))
        last = int(np.searchsorted(group.offsets, end_of_labels, "left"))
        starts = np.maximum(group.offsets[row:last], context) - context
        found = dropped(group.tokens[context:end_of_labels], starts, goldfish)
        chosen = found[start + 1 - context :]
        self._goldfish_dropped += int(ignore_dropped(self._labels[first : first + len(chosen)], chosen))
