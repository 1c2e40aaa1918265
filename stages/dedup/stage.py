"""The barrier stage `dedup`: exact and near duplicates, over all documents or within each language."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from lauter.pipeline.comparing import Limits, Preference, Signed
from lauter.pipeline.contract import StageConfig, StageContext
from lauter.stages.dedup.config import DedupConfig, MinHashConfig
from lauter.stages.dedup.pairs import pairs_of_buckets
from lauter.stages.dedup.urls import url_hashes
from lauter.stages.kernels.hash_sets import similar
from lauter.stages.kernels.hashing import salted_keys, text_hashes
from lauter.stages.kernels.minhash import band_keys, permutations, shingle_sets, signatures
from lauter.stages.kernels.sketch import SKETCH_BYTES, estimate, judge_sketches, sketches, standard_error
from lauter.stages.kernels.words import DROP_PUNCTUATION, FOLD_CASE, FOLD_DIGITS, text_buffers

LANGUAGE = "language"
SOURCE = "source"
PAYLOAD_HASH = "payload_hash"

# Kinds of keys; the bands of MinHash are kinds 1 to 256.
_TEXT = 0
_URL = 1000
_PAYLOAD = 1001
_SOURCE = 1002

_NONE, _LEAST = np.uint64(0), np.uint64(1)
"""0 means nothing to compare, so a hash that is 0 by chance is read as 1."""


class Dedup:
    """Says which documents are copies. Which of them stays is decided later, by `prefer`."""

    name: ClassVar[str] = "dedup"
    version: ClassVar[int] = 3
    Config: ClassVar[type[StageConfig]] = DedupConfig
    reads: ClassVar[tuple[str, ...]] = ("text",)
    """What it reads whatever its parameters are; `reads_for` has all."""
    sketches: ClassVar[pa.Schema] = pa.schema(
        [
            pa.field("size", pa.uint32(), nullable=False),
            pa.field("sketch", pa.binary(SKETCH_BYTES), nullable=False),
        ]
    )
    """Number of different shingles (0: too short for MinHash), and the low byte of each minimum."""
    identities: ClassVar[tuple[str, ...]] = ("url", "payload")
    decision_fields: ClassVar[frozenset[str]] = frozenset(
        {"prefer", "removed", "largest_cluster", "largest_cluster_documents", "method"}
    )

    def __init__(self, config: DedupConfig, context: StageContext | None = None) -> None:
        self.config = config
        near = config.minhash
        self._permutations = permutations(near.seed, max(near.bands * near.rows, SKETCH_BYTES)) if near else None

    @classmethod
    def reads_for(cls, config: DedupConfig) -> tuple[str, ...]:
        """The columns that `sign` needs with these parameters."""
        wanted = [
            (LANGUAGE, config.per_language),
            (SOURCE, config.per_source),
            ("url", "url" in config.exact),
            (PAYLOAD_HASH, "payload" in config.exact),
        ]
        return (*cls.reads, *(name for name, needed in wanted if needed))

    @classmethod
    def prefers(cls, config: DedupConfig) -> tuple[Preference, ...]:
        """The order in which copies are kept."""
        return config.preferences()

    @classmethod
    def limits(cls, config: DedupConfig) -> Limits:
        """What a build stops at."""
        return config.limits()

    @classmethod
    def method(cls, config: DedupConfig) -> Literal["components", "smaller-neighbour"]:
        """How copies are grouped."""
        return config.method

    def sign(self, batch: pa.RecordBatch) -> Signed:
        """Items, keys and sketches of a batch.

        The item is the hash of the text (`hashing.text_hashes`), salted by language for `per_language`. Where texts
        are not to be compared, because they are no part of `exact` and too short for MinHash, it is the hash of text
        and identities; with neither the document is compared with nothing. Raises `ValueError` for a column that its
        parameters need and the batch lacks.
        """
        text = batch.column("text")
        texts = text_buffers(text)
        salts = self._salts(batch)
        present = np.asarray(pc.is_valid(text).to_numpy(zero_copy_only=False), np.bool_)
        identities = self._identities(batch, salts)
        signed = np.zeros(batch.num_rows, np.bool_)
        sizes, sketch = np.zeros(batch.num_rows, np.uint32), np.zeros((batch.num_rows, SKETCH_BYTES), np.uint8)
        keys = np.empty((batch.num_rows, 0), np.uint64)
        near = self.config.minhash
        if near and self._permutations:
            minima, sizes = signatures(
                texts.data, texts.offsets, _flags(near), near.ngram_words, near.min_words, *self._permutations
            )
            signed = sizes > 0
            sketch = sketches(minima, sizes)
            keys = band_keys(minima, salts, near.bands, near.rows)[signed]
        item = salted_keys(text_hashes(texts), salts, _TEXT)
        item = _items(item, identities, present & (signed | ("text" in self.config.exact)))
        columns = [pa.array(sizes), _fixed(sketch)]
        return Signed(
            item=item,
            sketches=pa.RecordBatch.from_arrays(columns, schema=self.sketches),
            row=np.repeat(np.flatnonzero(signed), keys.shape[1]).astype(np.int64, copy=False),
            key=keys.ravel(),
            identities=identities,
        )

    def pairs(self, key: NDArray[np.uint64], item: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Pairs of items that share a key (`pairs.pairs_of_buckets`)."""
        return pairs_of_buckets(key, item)

    def judge(self, left: pa.RecordBatch, right: pa.RecordBatch) -> NDArray[np.uint8]:
        """From the sketches alone, where they are three standard errors from the threshold (`sketch`)."""
        return judge_sketches(*sketch_arrays(left), *sketch_arrays(right), self._near.threshold)

    @classmethod
    def similarity(cls, left: pa.RecordBatch, right: pa.RecordBatch) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The Jaccard similarity of each pair of sketches, at least 0, and its standard error (`sketch.estimate`).

        NaN for a pair with a text too short for MinHash.
        """
        (left_sizes, left_bytes), (right_sizes, right_bytes) = sketch_arrays(left), sketch_arrays(right)
        # Not by the kernel `agreeing`, which takes longer to load than one pair to compare.
        matches = np.count_nonzero(left_bytes == right_bytes, axis=1)
        found = np.array([max(0.0, estimate(count)) for count in matches.tolist()])
        error = np.array([standard_error(value) for value in found])
        told = np.minimum(left_sizes, right_sizes) > 0
        return np.where(told, found, np.nan), np.where(told, error, np.nan)

    def evidence(self, batch: pa.RecordBatch) -> pa.ListArray:
        """The sorted set of 32-bit shingle hashes of each document; empty for one that MinHash does not compare."""
        near = self._near
        texts = text_buffers(batch.column("text"))
        shingles, bounds = shingle_sets(texts.data, texts.offsets, _flags(near), near.ngram_words, near.min_words)
        return pa.ListArray.from_arrays(pa.array(bounds).cast(pa.int32()), pa.array(shingles))

    def compare(self, left: pa.ListArray, right: pa.ListArray) -> NDArray[np.bool_]:
        """Whether the Jaccard similarity of each pair of sets is at least `threshold`. No list is null."""
        found: NDArray[np.bool_] = similar(*_lists(left), *_lists(right), self._near.threshold)
        return found

    @property
    def _near(self) -> MinHashConfig:
        if self.config.minhash is None:
            raise ValueError("dedup without `minhash` has no near duplicates to judge")
        return self.config.minhash

    def _salts(self, batch: pa.RecordBatch) -> NDArray[np.uint64]:
        """Shape (n,): equal for documents that may be compared."""
        salts = np.zeros(batch.num_rows, np.uint64)
        if self.config.per_language:
            salts = _name_hashes(self._column(batch, LANGUAGE, "per_language"))
        if self.config.per_source:
            salts = salted_keys(_name_hashes(self._column(batch, SOURCE, "per_source")), salts, _SOURCE)
        return salts

    def _identities(self, batch: pa.RecordBatch, salts: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Shape (n, 2): keys of kinds of their own, never 0 for a document that has a URL, or a payload."""
        identities = np.zeros((batch.num_rows, len(self.identities)), np.uint64)
        if "url" in self.config.exact:
            hashes = url_hashes(self._column(batch, "url", "exact: [url]"))
            identities[:, 0] = np.where(hashes, np.maximum(salted_keys(hashes, salts, _URL), _LEAST), _NONE)
        if "payload" in self.config.exact:
            column = self._column(batch, PAYLOAD_HASH, "exact: [payload]")
            # A copy, so that it may be written as other hashes may: numba compiles once more for one that may not.
            hashes = column.fill_null(0).to_numpy(zero_copy_only=False).copy()
            identities[:, 1] = np.where(hashes, np.maximum(salted_keys(hashes, salts, _PAYLOAD), _LEAST), _NONE)
        return identities

    def _column(self, batch: pa.RecordBatch, name: str, parameter: str) -> pa.Array[Any]:
        if name not in batch.schema.names:
            raise ValueError(f"dedup with `{parameter}` needs the column {name!r}, which no stage has written")
        return batch.column(name)


def _name_hashes(names: pa.Array[Any]) -> NDArray[np.uint64]:
    """XXH3-64 of each name, shape (n,); 0 for null. Few different ones are expected."""
    listed = names.to_pylist()
    hashes = {name: 0 if name is None else xxhash.xxh3_64_intdigest(name.encode()) for name in set(listed)}
    return np.array([hashes[name] for name in listed], np.uint64)


def _items(
    text_keys: NDArray[np.uint64], identities: NDArray[np.uint64], compared: NDArray[np.bool_]
) -> NDArray[np.uint64]:
    """Items of documents, shape (n,): the key of the text where texts are compared, else of text and identities."""
    url, payload = np.ascontiguousarray(identities.T)
    item = np.where(compared, text_keys, salted_keys(payload, salted_keys(url, text_keys, _URL), _PAYLOAD))
    return np.where(compared | identities.any(axis=1), np.maximum(item, _LEAST), _NONE)


def _flags(near: MinHashConfig) -> int:
    return FOLD_CASE | DROP_PUNCTUATION | (FOLD_DIGITS if near.fold_digits else 0)


def _fixed(rows: NDArray[np.uint8]) -> pa.Array[Any]:
    """Rows of bytes as an Arrow column of fixed width, without a copy."""
    return pa.Array.from_buffers(pa.binary(rows.shape[1]), len(rows), [None, pa.py_buffer(np.ascontiguousarray(rows))])


def sketch_arrays(batch: pa.RecordBatch) -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
    """Sizes, shape (n,), and sketches, shape (n, 112), of `Dedup.sketches`, without a copy; both read-only."""
    column = batch.column("sketch")
    raw = np.frombuffer(cast(bytes, column.buffers()[1] or b""), np.uint8).reshape(-1, SKETCH_BYTES)
    # What Arrow has just made may be written, what is mapped may not, and numba compiles for each combination.
    raw.flags.writeable = False
    return batch.column("size").to_numpy(), raw[column.offset : column.offset + len(column)]


def _lists(lists: pa.ListArray) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The values of all lists and where each begins, shape (n + 1,)."""
    offsets = lists.offsets.to_numpy().astype(np.int64)
    return lists.values.to_numpy(), offsets
