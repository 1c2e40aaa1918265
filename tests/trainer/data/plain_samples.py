"""What every sample holds, said once more in plain Python: lists, one token at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import torch

from lauter.trainer.batch import IGNORE, Batch
from lauter.trainer.data.order import group_order
from tests.trainer.data.corpora import LANGUAGES, Document, Shards


@dataclass
class Window:
    """One sample."""

    tokens: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    languages: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    def part(self, document: Document, start: int, end: int) -> None:
        """Add tokens [start, end) of a document."""
        for place in range(start, end):
            has_label = not document.removed and place + 1 < len(document.tokens) and _carries(document, place + 1)
            self.tokens.append(document.tokens[place])
            self.labels.append(document.tokens[place + 1] if has_label else IGNORE)
            self.positions.append(place - start)
            self.languages.append(LANGUAGES.index(document.language) if document.language else -1)
        self.lengths.append(end - start)

    def fill(self, length: int, pad: int) -> None:
        """Add padding up to a length."""
        room = length - len(self.tokens)
        if room:
            self.tokens += [pad] * room
            self.labels += [IGNORE] * room
            self.positions += range(room)
            self.languages += [-1] * room
            self.lengths.append(room)


def _carries(document: Document, place: int) -> bool:
    spans = document.loss_spans
    return spans is None or any(start <= place < end for start, end in zip(spans[::2], spans[1::2], strict=True))


def stream_documents(shards: Shards, layout_id: str, seed: int, name: str) -> Iterator[Document]:
    """The documents of an endless stream."""
    groups = [group for shard in shards for group in shard]
    epoch = 0
    while True:
        for number in group_order(layout_id, seed, name, epoch, len(groups)):
            yield from groups[number]
        epoch += 1


def concatenated(documents: Iterator[Document], length: int) -> Iterator[Window]:
    """The windows of documents that lie one after the other, until there are no more documents."""
    window = Window()
    for document in documents:
        start = 0
        while start < len(document.tokens):
            end = min(len(document.tokens), start + length - len(window.tokens))
            window.part(document, start, end)
            start = end
            if len(window.tokens) == length:
                yield window
                window = Window()
    if window.tokens:
        yield window


def windows(batch: Batch, length: int) -> list[Window]:
    """A batch taken apart."""
    ends = batch.bounds.cu_seqlens.tolist()
    lengths = [end - start for start, end in pairwise(ends)]
    assert batch.bounds.longest == max(lengths) and min(lengths) > 0 and ends[0] == 0
    assert batch.targets == int((batch.labels != IGNORE).sum())
    kinds = (batch.tokens.dtype, batch.labels.dtype, batch.positions.dtype, batch.languages.dtype)
    assert kinds == (torch.int64, torch.int64, torch.int32, torch.int16)
    assert batch.bounds.cu_seqlens.dtype == torch.int32 and ends[-1] == len(batch.tokens)
    found = []
    for start in range(0, len(batch.tokens), length):
        assert start in ends, "a window's end ends its last document"
        own = [part for part, first in zip(lengths, ends, strict=False) if start <= first < start + length]
        columns = (batch.tokens, batch.labels, batch.positions, batch.languages)
        tokens, labels, positions, languages = (column[start : start + length].tolist() for column in columns)
        found.append(Window(tokens, labels, positions, languages, own))
    return found
