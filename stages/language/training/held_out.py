"""What is kept out of training to score a model with: lines of running text, and word types of lists.

Which ones is a function of their bytes, so that a line that two sources share is kept out of both. Of a list the most
frequent types stay in, as a language is not to be trained without its "and"; the kept-out types of a label are in
none of its lists. Lines made of such types alone are harder than text, where most words are known. A source of which
nothing is left is none any more; of a label of which nothing would be left, nothing is kept out.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import Integer
from lauter.stages.kernels.words import FNV_OFFSET, FNV_PRIME, text_buffers
from lauter.stages.language.training.numbers import below, key_of, number
from lauter.stages.language.training.recipe import HeldOut

WORDS, TEXT = 0, 1
"""Kinds of a source: a list of words with counts, or lines of running text."""

Parts = dict[tuple[str, int], tuple[pa.Array, NDArray[np.int64]]]
"""(source, kind) -> its normalised items and their counts."""


class Held(NamedTuple):
    """Lines that a model is scored with."""

    label: str
    kind: int
    """`WORDS`, made of word types that are kept out; `TEXT`, taken from running text."""
    text: str


def hold_out(label: str, parts: Parts, recipe: HeldOut, *, unspaced: bool) -> tuple[Parts, list[Held]]:
    """Split the sources of one label into what is trained on and lines to score with."""
    held: list[Held] = []
    left: Parts = {}
    types = _types(parts, recipe)
    for (source, kind), (items, counts) in parts.items():
        if kind == TEXT:
            out = (_hashes(items) >> np.uint64(20)) % np.uint64(recipe.one_line_in) == 0
            held += [Held(label, TEXT, text) for text in items.filter(pa.array(out)).to_pylist()]
        else:
            out = pc.is_in(items, pa.array(types, pa.string())).to_numpy(zero_copy_only=False)
        if not out.all():
            left[source, kind] = (items.filter(pa.array(~out)), counts[~out])
    if not left:
        return parts, []
    # The same line may be in several sources.
    texts = sorted({line.text for line in held}, key=lambda text: (zlib.crc32(text.encode()), text))
    lines = [Held(label, TEXT, text) for text in texts[: recipe.lines]]
    return left, lines + _of_types(label, types, recipe, unspaced=unspaced)


def _types(parts: Parts, recipe: HeldOut) -> list[str]:
    """The word types of a label that are kept out, sorted."""
    ranks: dict[str, int] = {}
    for (_, kind), (items, _) in sorted(parts.items(), key=lambda part: part[0]):
        if kind == WORDS:
            for rank, word in enumerate(items.to_pylist()):
                ranks[word] = min(rank, ranks.get(word, rank))
    frequent = min(recipe.frequent, len(ranks) // 2)
    rare = [word for word, rank in ranks.items() if rank >= frequent]
    count = min(max(recipe.least_types, len(ranks) // recipe.one_type_in), len(ranks) // 8)
    return sorted(sorted(rare, key=lambda word: (zlib.crc32(word.encode()), word))[:count])


def _of_types(label: str, types: list[str], recipe: HeldOut, *, unspaced: bool) -> list[Held]:
    """Lines of word types that are kept out, each type as likely as the others."""
    if not types:
        return []
    lines = []
    for line in range(recipe.word_lines):
        key = key_of(zlib.crc32(label.encode()), "held out", line)
        words = (types[below(np.uint64(number(key, place)), len(types))] for place in range(recipe.words))
        lines.append(Held(label, WORDS, ("" if unspaced else " ").join(words)))
    return lines


def _hashes(items: pa.Array) -> NDArray[np.uint64]:
    offsets, data = text_buffers(items)
    hashes = np.empty(len(items), np.uint64)
    hash_words(data, offsets, hashes)
    return hashes


@kernel
def hash_words(data: NDArray[np.uint8], starts: NDArray[np.int64], hashes: NDArray[np.uint64]) -> None:
    """`word_hash` of each item; shape of `starts` (n + 1,), of `hashes` (n,)."""
    for item in range(hashes.size):
        hashes[item] = word_hash(data, starts[item], starts[item + 1])


@kernel
def word_hash(data: NDArray[np.uint8], start: Integer, end: Integer) -> np.uint64:
    """FNV-1a of `data[start:end]` in 64 bits with the lowest bit set, so that it is never 0."""
    state = FNV_OFFSET
    for at in range(start, end):
        state = (state ^ np.uint64(data[at])) * FNV_PRIME
    return state | np.uint64(1)
