"""The training data in memory: for each label its lines of running text and its lists of words with their counts.

A folder has for each label `deu_Latn.txt`, lines `source<TAB>text`, and `deu_Latn.words`, lines
`source<TAB>word<TAB>count`, or one of them; where both have a source, the list is read. A model of words and n-grams of
characters sees no order of words, so a list of words with their frequencies is as good as the text that it was counted
in: it is small, and any number of lines can be drawn from it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

from lauter.stages.kernels.words import text_buffers
from lauter.stages.language.labels import LABEL
from lauter.stages.language.normaliser import normalise
from lauter.stages.language.training.held_out import TEXT, WORDS, Held, Parts, hold_out
from lauter.stages.language.training.recipe import Recipe, Sampling

UNSPACED = ("Hani", "Jpan", "Khmr", "Laoo", "Mymr", "Thai")
"""Scripts whose words are written without spaces between them (UAX #14, class SA, and the Han and kana of class ID)."""


class Items(NamedTuple):
    """Lines and words. A source is a range of items, a label a range of sources."""

    data: NDArray[np.uint8]
    """UTF-8 bytes of all items."""
    starts: NDArray[np.int64]
    """Shape (items + 1,): item i is `data[starts[i]:starts[i + 1]]`."""
    cumulative: NDArray[np.uint64]
    """Shape (items,): counts of the items of the same source up to this one."""
    first: NDArray[np.int64]
    """Shape (sources,): first item of each."""
    last: NDArray[np.int64]
    """Shape (sources,): the item after its last."""
    kinds: NDArray[np.uint8]
    """Shape (sources,)."""
    shares: NDArray[np.int64]
    """Shape (sources,): weights, in thousandths, of the sources of the same label up to this one."""
    sources: NDArray[np.int64]
    """Shape (labels + 1,): label i has the sources `sources[i]` to `sources[i + 1] - 1`."""
    unspaced: NDArray[np.bool_]
    """Shape (labels,): whether its script is one of `UNSPACED`."""


class Material(NamedTuple):
    """All of it."""

    labels: tuple[str, ...]
    """Sorted."""
    items: Items
    lines: NDArray[np.int64]
    """Shape (labels,): lines that an epoch has of each."""
    types: NDArray[np.int64]
    """Shape (labels,): word types of all its sources."""
    evidence: tuple[Mapping[str, int], ...]
    """For each label: source -> items."""
    running: frozenset[str]
    """Names of the sources of running text."""
    held: tuple[Held, ...]
    """Lines to score with, in the order of the labels."""
    favoured: frozenset[str] = frozenset()
    """Labels that the recipe prefers."""


def read_material(folder: Path, recipe: Recipe) -> Material:
    """Read a folder of training data.

    Raises:
        ValueError: There is no label in the folder or no source that the recipe names, a name is no label, or a line is
            not of the form above.
        OSError: A file cannot be read.
    """
    sampling = recipe.sampling
    names = sorted({path.stem for path in folder.iterdir() if path.suffix in (".txt", ".words")} - set(recipe.without))
    for name in names:
        if not LABEL.fullmatch(name):
            raise ValueError(f"{folder}: {name} is no label like deu_Latn")
    data, lengths, cumulative = [], [], []  # of items
    last, kinds, shares = [], [], []  # of sources
    labels, sources, lines, types, evidence, held = [], [0], [], [], [], []
    items = 0
    running: set[str] = set()
    for name in names:
        parts = _usable(_parts(folder, name, sampling), sampling)
        if not parts:
            continue
        parts, lines_held = hold_out(name, parts, recipe.held_out, unspaced=name[4:] in UNSPACED)
        held += lines_held
        labels.append(name)
        weight = 0
        running |= {source for source, kind in parts if kind == TEXT}
        for source, kind in sorted(parts):
            entries, counts = parts[source, kind]
            offsets, text = text_buffers(entries)
            data.append(text[offsets[0] : offsets[-1]])
            lengths.append(np.diff(offsets))
            by = _drawn_by(counts, sampling.power_in_quarters if kind == WORDS else 4)
            cumulative.append(np.cumsum(by, dtype=np.uint64))
            items += len(entries)
            last.append(items)
            kinds.append(kind)
            weight += round(sampling.sources[source] * 1000)
            shares.append(weight)
        sources.append(len(last))
        evidence.append({source: len(entries) for (source, _), (entries, _) in sorted(parts.items())})
        types.append(_types(parts))
        lines.append(_lines(types[-1], sampling))
    if not labels:
        if names:
            raise ValueError(
                f"{folder}: no file has text of a source that the recipe names in sampling.sources, which are "
                f"{', '.join(sampling.sources)}: name yours there, or write one of these before the tab"
            )
        raise ValueError(f"{folder} has no label: files like deu_Latn.txt with lines `source<TAB>text`")
    found = Items(
        data=np.concatenate(data),
        starts=np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64),
        cumulative=np.concatenate(cumulative),
        first=np.array([0, *last[:-1]], np.int64),
        last=np.array(last, np.int64),
        kinds=np.array(kinds, np.uint8),
        shares=np.array(shares, np.int64),
        sources=np.array(sources, np.int64),
        unspaced=np.array([label[4:] in UNSPACED for label in labels]),
    )
    return Material(
        tuple(labels), found, np.array(lines, np.int64), np.array(types, np.int64), tuple(evidence),
        frozenset(running), tuple(held), frozenset(recipe.network.favoured),
    )  # fmt: skip


def _parts(folder: Path, name: str, sampling: Sampling) -> Parts:
    """The sources of one label, normalised, in the order of the file; of one that is text and list, the list."""
    parts: Parts = {}
    for kind, suffix, columns in ((TEXT, ".txt", ("source", "item")), (WORDS, ".words", ("source", "item", "count"))):
        path = folder / f"{name}{suffix}"
        if not path.exists() or path.stat().st_size == 0:
            continue
        table = _read(path, columns)
        for source in sorted(pc.unique(table["source"]).to_pylist()):
            rows = table.filter(pc.equal(table["source"], source))
            items = rows["item"].combine_chunks()
            counts = rows["count"].to_numpy() if kind == WORDS else np.ones(len(items), np.int64)
            items, counts = _normalised(items, counts)
            if kind == TEXT and source in sampling.lists:
                items, counts = _counted(items)
            if kind == WORDS or source in sampling.lists:
                parts[source, WORDS] = (items[: sampling.most_words], counts[: sampling.most_words])
            else:
                parts[source, TEXT] = (items, counts)
    return {
        (source, kind): part for (source, kind), part in parts.items() if kind == WORDS or (source, WORDS) not in parts
    }


def _read(path: Path, columns: tuple[str, ...]) -> pa.Table:
    try:
        return pa.csv.read_csv(
            path,
            pa.csv.ReadOptions(column_names=columns, use_threads=False),
            pa.csv.ParseOptions(delimiter="\t", quote_char=False),
            pa.csv.ConvertOptions(column_types={"source": pa.string(), "item": pa.string(), "count": pa.int64()}),
        )
    except pa.ArrowInvalid as problem:
        form = "<TAB>".join(columns)
        raise ValueError(f"{path}: every line must be {form} ({problem})") from None


def _counted(lines: pa.Array) -> tuple[pa.Array, NDArray[np.int64]]:
    """The words of lines and their counts, the most frequent first."""
    counted = Counter(word for line in lines.to_pylist() for word in line.split(" "))
    words = sorted(counted, key=lambda word: (-counted[word], word))
    return pa.array(words, pa.string()), np.array([counted[word] for word in words], np.int64)


def _normalised(items: pa.Array, counts: NDArray[np.int64]) -> tuple[pa.Array, NDArray[np.int64]]:
    """Items as the model reads them, the empty ones and those with a count below 1 left out."""
    offsets, data = text_buffers(items)
    data, offsets = normalise(data, offsets)
    texts = pa.LargeStringArray.from_buffers(len(items), pa.py_buffer(offsets), pa.py_buffer(data)).cast(pa.string())
    kept = np.flatnonzero((np.diff(offsets) > 0) & (counts > 0))
    return texts.take(pa.array(kept)), counts[kept]


def _usable(parts: Parts, sampling: Sampling) -> Parts:
    """The sources that the recipe weighs; short ones only where a label has no other."""
    weighed = {key: part for key, part in parts.items() if key[0] in sampling.sources and len(part[0])}
    long = {key: part for key, part in weighed.items() if len(part[0]) >= sampling.least_entries}
    return long or weighed


def _types(parts: Parts) -> int:
    """Word types of all sources."""
    types: set[str] = set()
    for (_, kind), (entries, _) in parts.items():
        types.update(entries.to_pylist() if kind == WORDS else " ".join(entries.to_pylist()).split(" "))
    return len(types)


def _lines(types: int, sampling: Sampling) -> int:
    if types >= sampling.rich:
        return min(sampling.most_lines, round(sampling.lines * math.sqrt(types / sampling.rich)))
    return min(sampling.lines, int(sampling.thin_lines + sampling.thin_slope * types))


def _drawn_by(counts: NDArray[np.int64], quarters: int) -> NDArray[np.uint64]:
    """Counts to a power, in whole thousandths. A square root rounds the same way on every machine, a power may not."""
    root = np.sqrt(np.sqrt(counts.astype(np.float64)))
    power = np.ones(len(counts))
    for _ in range(quarters):
        power *= root
    return np.rint(power * 1000).astype(np.uint64)
