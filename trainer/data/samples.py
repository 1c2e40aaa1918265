"""Samples by number: what any sample of a run holds follows from the config and its number alone.

A sample is a window of `sequence_length` places of one stream. `concatenate`: a stream is its documents one after the
other, its k-th window the places [k S, k S + S), and the label of the last place is the next token if that belongs to
the same document; so each token of an epoch is an input exactly once, and a window may reach into the next epoch.
`best-fit`: windows are those of the plans of the row groups (`packing.py`), in the order of the row groups.

A run that goes on from another one with other windows (a phase) reads each stream from where that run stopped: behind
the last token read, or under `best-fit` from the next row group on, so that no epoch gives a token twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from lauter.trainer.batch import Batch
from lauter.trainer.config.sections import DataSection
from lauter.trainer.data.cache import RecentlyUsed
from lauter.trainer.data.corpus import Corpus
from lauter.trainer.data.errors import UnfitError
from lauter.trainer.data.mixture import mixture, streams_at_once
from lauter.trainer.data.order import EndlessOrder
from lauter.trainer.data.packing import PackedStream
from lauter.trainer.data.shard import RowGroup
from lauter.trainer.data.stream import Stream
from lauter.trainer.data.window_writer import WindowWriter

ORDER_VERSION = 1
"""Goes up with every change of the order that the same config gives."""

BEGIN = "begin"
"""Key of an order: where the runs before stopped, if there were any."""


class Samples:
    """The samples of a run. Safe to use from several threads."""

    def __init__(self, corpus: Corpus, section: DataSection, seed: int) -> None:
        """Work out the stages; under `best-fit` this reads the lengths of all documents.

        Raises:
            DataError: a stage names an unknown stream, a stream has too few tokens for a sample, or a shard can't be
                read.
        """
        self.sequence_length = section.sequence_length
        self._goldfish = section.goldfish
        self._mixture = mixture(section, corpus.streams)
        named = sorted({name for stage in self._mixture.stages for name in stage.streams})
        self._streams = {name: corpus.streams[name] for name in named}
        _check_lengths(self._streams, section)
        self._pad = corpus.tokenizer.padding
        # A mixture goes through its streams side by side, and a window may lie in two row groups.
        held = 2 * streams_at_once(self._mixture.stages) + 2
        self._row_groups: RecentlyUsed[tuple[str, int], RowGroup] = RecentlyUsed(held)
        self._packed: dict[str, PackedStream] = {}
        if section.packing == "best-fit":
            self._packed = {
                name: PackedStream(stream, self.sequence_length, seed, held, section.overlong)
                for name, stream in self._streams.items()
            }
            _check_windows(self._packed, section)
        self._orders = {
            name: EndlessOrder(
                stream.layout_id,
                seed,
                stream.stored_name,
                self._packed[name].windows if name in self._packed else stream.places(),
            )
            for name, stream in self._streams.items()
        }
        self.utilisation: Mapping[str, float] = {
            name: (stream.tokens - self._packed[name].left_out.tokens)
            / (self._orders[name].total * self.sequence_length)
            if name in self._packed
            else 1.0
            for name, stream in self._streams.items()
        }
        """Share of each stream's places that are not padding."""
        self.left_out = {name: one.left_out for name, one in self._packed.items() if one.left_out.documents}
        """Of an epoch of each stream, what is longer than a window, by `data.overlong`."""
        self._read_before: dict[str, Any] = {}
        self._begin: dict[str, int] = dict.fromkeys(named, 0)
        self.order: dict[str, Any] = {
            "version": ORDER_VERSION,
            "seed": seed,
            "sequence_length": self.sequence_length,
            "packing": section.packing,
            "goldfish": section.goldfish.model_dump(mode="json") if section.goldfish is not None else None,
            "stages": self._mixture.describe(),
            "streams": {name: _layout(stream) for name, stream in self._streams.items()},
            **({} if section.overlong == "cut" else {"overlong": section.overlong}),
        }
        """All that decides what a sample holds, as JSON: where two differ, it tells why. A takedown leaves it be."""
        self._seed = seed
        self.fingerprint = _fingerprint(self.order)
        """SHA-256 of `order`."""

    def go_on(self, read: Mapping[str, Any]) -> list[str]:
        """Begin each stream where an earlier run stopped; to be called before the first batch.

        `read` is that run's `read`. Streams that are others here, or in another order, are read from their first sample
        on. Returns the names of those that go on.
        """
        self._read_before = dict(read)
        found = {
            name: before["tokens_read"]
            for name, before in read.items()
            if name in self._streams and _described(self._streams[name], self._seed, before["tokens_read"]) == before
        }
        for name in self._streams:
            tokens = found.get(name, 0)
            if name in self._packed:
                # A row group that has been begun is left: which of its documents were read, a count does not tell.
                self._begin[name] = self._orders[name].first_place(self._by_token(name).groups_begun(tokens))
            else:
                self._begin[name] = tokens
        self.order = {key: value for key, value in self.order.items() if key != BEGIN}
        if read:
            self.order[BEGIN] = dict(read)
        self.fingerprint = _fingerprint(self.order)
        return sorted(found)

    def read(self, samples: int) -> dict[str, Any]:
        """How far each stream was read after the first `samples` samples, by this run and those before it, as JSON.

        In tokens, and with what decides their order; `go_on` takes it.
        """
        given = self._mixture.given(samples)
        found = dict(self._read_before)
        for name, stream in self._streams.items():
            if not given[name] and name in found:
                continue
            if name in self._packed:
                groups = self._orders[name].groups_begun(self._begin[name] + given[name])
                tokens = self._by_token(name).first_place(groups)
            else:
                tokens = self._begin[name] + given[name] * self.sequence_length
            found[name] = _described(stream, self._seed, tokens)
        return found

    def continues(self, order: Mapping[str, Any], samples: int) -> bool:
        """Whether the first `samples` samples are the same here as under another `order`.

        What comes behind them may differ: a further stage, or another end of the present one.
        """
        return _until(self.order, samples) == _until(order, samples)

    @property
    def total(self) -> int | None:
        """How many samples the stages have together; None where the last one is open."""
        return self._mixture.samples

    @property
    def epoch(self) -> int:
        """Samples in which every token of the streams, but for `left_out`, stands once; a part of one counts as one."""
        places = {name: 1 if name in self._packed else self.sequence_length for name in self._streams}
        return sum(-(-self._orders[name].total // size) for name, size in places.items())

    def stage_at(self, sample: int) -> str:
        """Name of the stage of a sample; raises `DataError` behind the last one."""
        return self._mixture.stage_at(sample).name

    def epochs(self, samples: int) -> dict[str, float]:
        """How often each stream of a stage has been gone through after the first `samples` samples; 1.0 is once."""
        given = self._mixture.given(samples)
        windows = {name: 1 if name in self._packed else self.sequence_length for name in self._streams}
        return {
            name: (self._begin[name] + given[name] * windows[name]) / self._orders[name].total for name in self._streams
        }

    def batch(self, numbers: Sequence[int]) -> Batch:
        """One micro-batch of these samples, in the given order.

        Raises:
            DataError: a sample lies behind the last stage, or a shard can't be read.
        """
        writer = WindowWriter(len(numbers), self.sequence_length, self._pad, self._goldfish)
        for number in numbers:
            name, window = self._mixture.place(number)
            if name in self._packed:
                self._write_packed(writer, name, window)
            else:
                self._write_concatenated(writer, name, window)
        return writer.batch()

    def _write_concatenated(self, writer: WindowWriter, name: str, window: int) -> None:
        for piece in self._orders[name].pieces(self._begin[name] + window * self.sequence_length, self.sequence_length):
            writer.add(self._row_group(name, piece.group), piece.start, piece.end)

    def _write_packed(self, writer: WindowWriter, name: str, window: int) -> None:
        (piece,) = self._orders[name].pieces(self._begin[name] + window, 1)
        group = self._row_group(name, piece.group)
        for start, end in self._packed[name].parts(piece.group, piece.start, group):
            writer.add(group, start, end)
        writer.end_window()

    def _by_token(self, name: str) -> EndlessOrder:
        stream = self._streams[name]
        return EndlessOrder(stream.layout_id, self._seed, stream.stored_name, stream.places())

    def _row_group(self, name: str, group: int) -> RowGroup:
        return self._row_groups.get((name, group), lambda: self._streams[name].read(group))


def _check_lengths(streams: Mapping[str, Stream], section: DataSection) -> None:
    problems = [
        f"stream {name!r} has {stream.tokens} tokens to train on, too few for one sample of data.sequence_length "
        f"{section.sequence_length}; shorten that, or leave the stream out of data.stages"
        for name, stream in streams.items()
        if stream.tokens < section.sequence_length
    ]
    if problems:
        raise UnfitError(problems)


def _check_windows(packed: Mapping[str, PackedStream], section: DataSection) -> None:
    problems = [
        f"stream {name!r}: all documents are longer than data.sequence_length {section.sequence_length}, and "
        "data.overlong leaves them out; raise that, or set data.overlong to truncate or cut"
        for name, stream in packed.items()
        if not stream.windows.any()
    ]
    if problems:
        raise UnfitError(problems)


def _until(order: Mapping[str, Any], samples: int) -> dict[str, Any]:
    stages = [stage for stage in order["stages"] if stage["first"] < samples]
    named = {name for stage in stages for name in stage["streams"]}
    streams = {name: layout for name, layout in order["streams"].items() if name in named}
    return {**order, "stages": stages, "streams": streams}


def _fingerprint(order: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(order, sort_keys=True).encode()).hexdigest()


def _described(stream: Stream, seed: int, tokens: int) -> dict[str, Any]:
    return {**_layout(stream), "seed": seed, "tokens_read": tokens}


def _layout(stream: Stream) -> dict[str, Any]:
    return {
        "layout_id": stream.layout_id,
        "stored_name": stream.stored_name,
        "tokens": stream.tokens,
        "row_groups": hashlib.sha256(stream.places().astype("<i8").tobytes()).hexdigest(),
    }
