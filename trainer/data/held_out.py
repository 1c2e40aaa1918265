"""Windows of the held-out shards, for the validation loss."""

from __future__ import annotations

from collections.abc import Iterator

from lauter.trainer.batch import Batch
from lauter.trainer.config.sections import DataSection
from lauter.trainer.data.corpus import Corpus
from lauter.trainer.data.shard import RowGroup
from lauter.trainer.data.stream import Stream
from lauter.trainer.data.window_writer import WindowWriter


def validation_batches(
    corpus: Corpus, section: DataSection, *, sequences: int, micro: int, rank: int, ranks: int
) -> Iterator[Batch]:
    """The first `sequences` windows of the held-out streams, in stored order, or all if they are fewer.

    Streams take turns, window by window; each ends with a window that is filled up with padding. Documents lie one
    after the other and Goldfish leaves nothing out. Every rank gets the same number of batches of `micro` windows, so
    that all can compute together: what the last ones lack is padding without loss.

    Raises:
        DataError: a shard can't be read.
    """
    windows = _windows(corpus, section.sequence_length)[:sequences]
    shares = -(-len(windows) // (micro * ranks))
    held: dict[str, tuple[int, RowGroup]] = {}
    for first in range(rank * micro, shares * micro * ranks, micro * ranks):
        writer = WindowWriter(micro, section.sequence_length, corpus.tokenizer.padding, None)
        for name, start in windows[first : first + micro]:
            _write(writer, corpus.held_out[name], start, section.sequence_length, held)
            writer.end_window()
        yield writer.batch()


def _windows(corpus: Corpus, sequence_length: int) -> list[tuple[str, int]]:
    """Stream and first place of every window, in the order in which they are read."""
    turns = [
        (turn, name) for name, stream in corpus.held_out.items() for turn in range(-(-stream.tokens // sequence_length))
    ]
    return [(name, turn * sequence_length) for turn, name in sorted(turns)]


def _write(writer: WindowWriter, stream: Stream, start: int, count: int, held: dict[str, tuple[int, RowGroup]]) -> None:
    before = 0
    for group, tokens in enumerate(stream.places().tolist()):
        first, end = max(start - before, 0), min(start + count - before, tokens)
        before += tokens
        if first < end:
            if held.get(stream.name, (-1, None))[0] != group:
                held[stream.name] = group, stream.read(group)
            writer.add(held[stream.name][1], first, end)
