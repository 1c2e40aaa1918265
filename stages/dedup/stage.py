"""The barrier stage `dedup`: exact and near duplicates, over all documents or within each language."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray
from pydantic import Field, model_validator

from lauter.pipeline.contract import StageConfig, StageContext
from lauter.stages.dedup.clusters import connected_components
from lauter.stages.dedup.edges import star_edges
from lauter.stages.kernels.hashing import salted_keys, text_hashes
from lauter.stages.kernels.minhash import Permutations, band_keys, permutations, signatures
from lauter.stages.kernels.words import DROP_PUNCTUATION, FOLD_CASE, FOLD_DIGITS, TextBuffers, text_buffers

LANGUAGE = "language"

_EXACT = 0
"""Kind of an exact key; the bands of MinHash are kinds 1, 2, …"""


class MinHashConfig(StageConfig):
    """Near duplicates: MinHash over runs of words, banded. Defaults are FineWeb's (arXiv 2406.17557, Deduplication).

    Two documents of Jaccard similarity J share a key with probability 1 - (1 - J**rows)**bands: with the defaults
    0.56 at J = 0.7, 0.92 at 0.8, 0.9996 at 0.9.
    """

    bands: int = Field(default=14, ge=1, le=256)
    """Keys per document."""
    rows: int = Field(default=8, ge=1, le=64)
    """Permutations per key."""
    ngram_words: int = Field(default=5, ge=1, le=64)
    """Words per shingle."""
    min_words: int = Field(default=5, ge=1)
    """A document with fewer words, or fewer than `ngram_words`, is only compared exactly."""
    fold_digits: bool = True
    """Read every decimal digit as 0, so that a date or a counter makes no difference. A document of which more than
    half of the words are numbers is read as it is: there they are what tells one timetable from another."""
    seed: int = Field(default=0, ge=0, lt=2**64)
    """Draws the permutations. It is not the seed of the run: signatures of an older crawl must stay comparable."""


class DedupConfig(StageConfig):
    """Which documents count as duplicates."""

    exact: bool = True
    """Join documents whose texts differ in white space only."""
    minhash: MinHashConfig | None = MinHashConfig()
    """Join near duplicates; null for exact ones only."""
    per_language: bool = False
    """Join only documents of the same `language` (no language counts as one)."""

    @model_validator(mode="after")
    def _compares_something(self) -> DedupConfig:
        if not self.exact and self.minhash is None:
            raise ValueError("dedup has nothing to do: set `exact` or `minhash`")
        return self


class Dedup:
    """Joins exact and near duplicates to clusters. Which document of a cluster stays is decided later."""

    name: ClassVar[str] = "dedup"
    version: ClassVar[int] = 2
    Config: ClassVar[type[StageConfig]] = DedupConfig
    reads: ClassVar[tuple[str, ...]] = ("text",)
    """What it reads whatever its parameters are; `reads_for` has all."""

    def __init__(self, config: DedupConfig, context: StageContext | None = None) -> None:
        self.config = config
        near = config.minhash
        self._permutations = permutations(near.seed, near.bands * near.rows) if near else None

    @classmethod
    def reads_for(cls, config: DedupConfig) -> tuple[str, ...]:
        """The columns that `emit` needs with these parameters: `text`, and `language` for `per_language`."""
        return (*cls.reads, LANGUAGE) if config.per_language else cls.reads

    def emit(self, batch: pa.RecordBatch) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """(row, key) pairs ordered by row: the exact key first, then one key a band. A null text has none.

        Raises `ValueError` for `per_language` without the column `language`.
        """
        text = batch.column("text")
        texts = text_buffers(text)
        salts = self._salts(batch)
        keys: list[NDArray[np.uint64]] = []
        wanted: list[NDArray[np.bool_]] = []
        present = np.asarray(pc.is_valid(text).to_numpy(zero_copy_only=False), np.bool_)
        if self.config.exact:
            keys.append(salted_keys(text_hashes(texts), salts, _EXACT)[:, None])
            wanted.append(present[:, None])
        if self.config.minhash and self._permutations:
            near, signed = _near_keys(self.config.minhash, self._permutations, texts, salts)
            keys.append(near)
            wanted.append(np.broadcast_to((present & signed)[:, None], near.shape))
        chosen = np.concatenate(wanted, axis=1)
        return np.nonzero(chosen)[0].astype(np.int64, copy=False), np.concatenate(keys, axis=1)[chosen]

    def reduce(self, key: NDArray[np.uint64], node: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Edges, shape (m, 2), from the smallest node of a key to each other node of it; sorted, each once."""
        return star_edges(key, node)

    def finish(self, edges: Iterable[NDArray[np.uint64]]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """(node, cluster) of every node that has an edge, sorted by node; cluster = smallest node of its component."""
        return connected_components(edges)

    def _salts(self, batch: pa.RecordBatch) -> NDArray[np.uint64]:
        if not self.config.per_language:
            return np.zeros(batch.num_rows, np.uint64)
        if LANGUAGE not in batch.schema.names:
            raise ValueError(f"dedup with `per_language` needs the column {LANGUAGE!r}, which no stage has written")
        languages = batch.column(LANGUAGE).to_pylist()
        salts = {name: 0 if name is None else xxhash.xxh3_64_intdigest(name.encode()) for name in set(languages)}
        return np.array([salts[name] for name in languages], np.uint64)


def _near_keys(
    near: MinHashConfig, drawn: Permutations, texts: TextBuffers, salts: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    flags = FOLD_CASE | DROP_PUNCTUATION | (FOLD_DIGITS if near.fold_digits else 0)
    minima, signed = signatures(
        texts.data, texts.offsets, flags, near.ngram_words, near.min_words, drawn.multiplier, drawn.increment
    )
    return band_keys(minima, salts, near.rows), signed
