"""The index of benchmark items: sorted n-gram keys and where they stand, as Arrow files that workers map.

`keys.arrow` has the sorted distinct keys (`match`), `starts.arrow` where each one's places begin and the last end,
`places.arrow` the item and the place of each gram, by key, item and place; `filter.arrow` a bit for each of 2**b equal
ranges of keys, with 16 to 32 ranges a key; `items.arrow` the items themselves. That is 26 to 28 bytes an n-gram and the
texts: 1.1 GB for 40 million, which all workers of a machine share. Building holds all items and 80 bytes an n-gram.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.stages.decontaminate.benchmarks import Item
from lauter.stages.decontaminate.blocks import best_blocks
from lauter.stages.decontaminate.match import (
    FLAGS,
    HITS,
    NGRAM,
    PREFIX,
    STRIDES,
    best_items,
    fill_filter,
    find_grams,
    item_grams,
    item_sizes,
)
from lauter.stages.kernels.words import TextBuffers, text_buffers, word_hashes, word_spans

ITEMS = pa.schema(
    [
        pa.field("benchmark", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("number", pa.int32(), nullable=False),
        pa.field("field", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("words", pa.uint32(), nullable=False),
        pa.field("length", pa.uint32(), nullable=False),
    ]
)
"""One row per item: `words` are those of its text, `length` those of one of its n-grams."""

FILTER_BITS = 16
"""Ranges of the filter for each key, at least: one search in 16 to 32 goes on past it."""
MIN_FILTER = 10
"""log2 of the ranges of the smallest filter."""

EVIDENCE_CHARACTERS = 200


class Found(NamedTuple):
    """What the index knows of n texts."""

    best: NDArray[np.int64]
    """Ratio in ten-thousandths (-1: no gram at all), item, and place of its first gram that hit; shape (n, 3)."""
    bounds: NDArray[np.int64]
    ranks: NDArray[np.uint32]
    """The keys that stand in text i, in its order: `ranks[bounds[i]:bounds[i + 1]]`."""


class Source(NamedTuple):
    """Where a gram stands in the benchmarks."""

    benchmark: str
    number: int
    text: str
    """The gram's own words as the benchmark spells them, on one line, cut."""


def build(items: Iterable[Item], ngram: int, least: int, out: Path) -> dict[str, int]:
    """Write the index of some items into a folder; returns what was counted.

    `ngram` and `least` are the words of an n-gram and the fewest of an item that is matched as a whole.
    """
    held = list(items)
    texts = pa.array([item.text for item in held], pa.large_string())
    offsets, data = text_buffers(texts)
    sizes = item_sizes(data, offsets)
    key, item, place, kind = item_grams(data, offsets, sizes, ngram, least, int(sizes[:, 0].sum()) + 2 * len(held))
    order = np.lexsort((place, item, kind, key))
    key, item, place, kind = key[order], item[order], place[order], kind[order]
    keys, first = np.unique(key, return_index=True)
    # A prefix leads to no item by itself, so it has no place.
    counted = np.concatenate([np.zeros(1, np.int64), np.cumsum(kind != PREFIX)])
    starts = counted[np.append(first, len(key))]
    size = max(MIN_FILTER, int(len(keys) * FILTER_BITS - 1).bit_length())
    bits = np.zeros(1 << (size - 6), np.uint64)
    fill_filter(keys, bits, 64 - size)
    own = kind != PREFIX
    _write(out / "keys.arrow", {"key": keys})
    _write(out / "starts.arrow", {"start": starts})
    _write(out / "places.arrow", {"item": item[own], "place": place[own]})
    _write(out / "filter.arrow", {"bits": bits})
    columns = [
        pa.array([item.benchmark for item in held], ITEMS.field("benchmark").type),
        pa.array([item.number for item in held], pa.int32()),
        pa.array([item.field for item in held], ITEMS.field("field").type),
        texts,
        pa.array(sizes[:, 0].astype(np.uint32)),
        pa.array((ngram * sizes[:, 1]).astype(np.uint32)),
    ]
    _write_batch(out / "items.arrow", pa.RecordBatch.from_arrays(columns, schema=ITEMS))
    return _counts(held, sizes, ngram, least, int((kind == NGRAM).sum()))


def _counts(held: list[Item], sizes: NDArray[np.int64], ngram: int, least: int, grams: int) -> dict[str, int]:
    counts = Counter({"n-grams": grams})
    short = sizes[:, 0] < np.minimum(least, ngram) * sizes[:, 1]
    whole = ~short & (sizes[:, 0] < ngram * sizes[:, 1])
    for item, is_short, is_whole in zip(held, short.tolist(), whole.tolist(), strict=True):
        counts[f"{item.benchmark}: items"] += 1
        counts[f"{item.benchmark}: matched as a whole"] += is_whole
        counts[f"{item.benchmark}: too short"] += is_short
    return dict(counts)


def _write(path: Path, columns: Mapping[str, NDArray[np.generic]]) -> None:
    _write_batch(path, pa.RecordBatch.from_pydict({name: pa.array(values) for name, values in columns.items()}))


def _write_batch(path: Path, batch: pa.RecordBatch) -> None:
    with pa.ipc.new_file(str(path), batch.schema) as writer:
        writer.write_batch(batch)


def _mapped(path: Path) -> pa.RecordBatch:
    return pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)


@dataclass(frozen=True, slots=True)
class Index:
    """An index that is mapped."""

    keys: NDArray[np.uint64]
    starts: NDArray[np.int64]
    items: NDArray[np.uint32]
    places: NDArray[np.uint32]
    bits: NDArray[np.uint64]
    scans: NDArray[np.int64]
    benchmark: pa.RecordBatch
    ngram: int
    """Words of an n-gram."""

    @classmethod
    def open(cls, folder: Path, ngram: int, least: int) -> Index:
        """Map what `build` left in a folder with the same parameters."""
        places, benchmark = _mapped(folder / "places.arrow"), _mapped(folder / "items.arrow")
        words, length = (benchmark.column(name).to_numpy().astype(np.int64) for name in ("words", "length"))
        scans = []
        for stride in range(1, STRIDES + 1):
            of_stride = words[length == ngram * stride]
            if (of_stride >= ngram * stride).any():
                scans.append((ngram * stride, NGRAM, 0))
            if ((of_stride >= least * stride) & (of_stride < ngram * stride)).any():
                scans.append((least * stride, PREFIX, ngram * stride))
        return cls(
            _mapped(folder / "keys.arrow").column("key").to_numpy(),
            _mapped(folder / "starts.arrow").column("start").to_numpy(),
            places.column("item").to_numpy(),
            places.column("place").to_numpy(),
            _mapped(folder / "filter.arrow").column("bits").to_numpy(),
            np.array(scans, np.int64).reshape(-1, 3),
            benchmark,
            ngram,
        )

    def find(self, texts: TextBuffers, *, blocks: bool = False) -> Found:
        """What stands in some texts; `blocks`: what counts of an item are blocks of its words (`blocks`), not grams."""
        shift = 64 - (self.bits.size * 64 - 1).bit_length()
        bounds, ranks = find_grams(texts.data, texts.offsets, self.scans, self.keys, self.bits, shift)
        sizes, lengths = (self.benchmark.column(name).to_numpy() for name in ("words", "length"))
        if blocks:
            items = text_buffers(self.benchmark.column("text"))
            strides = lengths.astype(np.int64) // self.ngram
            own = (bounds, ranks, self.starts, self.items, self.places, items.data, items.offsets, strides)
            return Found(best_blocks(texts.data, texts.offsets, *own), bounds, ranks)
        best = best_items(bounds, ranks, self.starts, self.items, self.places, sizes, lengths, HITS)
        return Found(best, bounds, ranks)

    def source_of_key(self, rank: int) -> Source:
        """The first gram of a key."""
        at = int(self.starts[rank])
        return self.source(int(self.items[at]), int(self.places[at]))

    def source(self, item: int, place: int) -> Source:
        """The gram of an item that begins at a place, or its last one where fewer words follow."""
        row = {name: self.benchmark.column(name)[item].as_py() for name in ITEMS.names}
        return Source(row["benchmark"], row["number"], _gram(row["text"], place, row["length"]))


def _gram(text: str, place: int, length: int) -> str:
    data = np.frombuffer(text.encode(), np.uint8)
    spans = word_spans(data, 0, len(data)).tolist()
    some = [(start, end) for start, end in spans if word_hashes(data, start, end, FLAGS).size][place : place + length]
    gram = bytes(data[some[0][0] : some[-1][1]]).decode()
    return " ".join(gram.split())[:EVIDENCE_CHARACTERS]
