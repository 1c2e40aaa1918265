"""Reads a supervised fastText model (`.bin` or `.ftz`).

The format is the one that fastText 0.9.2 writes (github.com/facebookresearch/fastText: Args, Dictionary, DenseMatrix,
QuantMatrix and ProductQuantizer, each with `save`), little-endian and without padding:

    int32 magic, version; 12 x int32 and one float64 arguments
    int32 entries, words, labels; int64 tokens, pruned; entries x (bytes, 0, int64 count, int8 type)
    pruned x (int32 bucket, int32 row), where pruned >= 0
    int8 quantised; matrix; int8 quantised; matrix

A dense matrix is int64 rows, columns and float32 numbers. A quantised one is int8 with norms, int64 rows, columns,
int32 size, the codes, a quantiser, and with norms a code for each and their quantiser. A quantiser is int32 dimension,
parts, part, last part and 256 float32 centroids for each part (H. Jegou et al., Product Quantization for Nearest
Neighbor Search, IEEE TPAMI 33, 2011; A. Joulin et al., arXiv:1612.03651).

A dense matrix is mapped, not copied: the processes of a node share one copy of a model of 1.6 GB, and only the pages
that texts touch are read.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel

_MAGIC = 793712314
_SUPERVISED = 3
_LOSSES = {1: "hs", 2: "ns", 3: "softmax", 4: "ova"}
_CENTROIDS = 256
MOST_BUCKETS = 1 << 27
"""Of a pruned model, which keeps only a few of its buckets: the table bucket -> row has an entry for each, 4 bytes."""
MOST_COLUMNS = 1 << 14
"""Numbers of a row."""
_WORD, _LABEL = 0, 1

Array = TypeVar("Array", bound=NDArray[Any])


class Words(NamedTuple):
    """The dictionary: words first, then labels. A hash table from bytes to entry, of open addressing."""

    data: NDArray[np.uint8]
    """The whole file, mapped."""
    starts: NDArray[np.int64]
    """Shape (entries,): first byte of each in `data`."""
    lengths: NDArray[np.int32]
    """Shape (entries,), bytes."""
    slots: NDArray[np.int32]
    """Shape (a power of two,): entry whose hash leads here or just before, -1 for none."""
    words: int
    """Entries below this number are words."""


class Rows(NamedTuple):
    """A matrix of one row a feature, dense or quantised."""

    dense: NDArray[np.float32]
    """Shape (rows, columns); (1, columns) where it is quantised."""
    codes: NDArray[np.uint8]
    """Shape (rows, parts); (0, 0) where it is dense."""
    centroids: NDArray[np.float32]
    """Shape (parts, 256, part): the last part filled up with zeros."""
    norm_codes: NDArray[np.uint8]
    """Shape (rows,): which of `norms` a quantised row is multiplied with."""
    norms: NDArray[np.float32]
    """Shape (256,)."""


@dataclass(frozen=True)
class Model:
    """A supervised model as its file has it. All arrays are read-only."""

    path: str
    labels: tuple[str, ...]
    """With their prefix, `__label__`."""
    label_counts: NDArray[np.int64]
    """Shape (labels,): training lines with each; they decide the tree of loss `hs`."""
    dim: int
    minn: int
    maxn: int
    """Characters of the shortest and the longest n-gram; maxn 0: none."""
    word_ngrams: int
    """Words of the longest word n-gram; 1: none."""
    bucket: int
    """Numbers that the hashes of n-grams are folded to."""
    loss: str
    """`softmax`, `hs`, `ova` or `ns`."""
    words: Words
    pruned: NDArray[np.int32]
    """Shape (bucket,): row of a bucket behind the words, -1 where it was pruned away. Empty where nothing is pruned, or
    every bucket is."""
    is_pruned: bool
    rows: Rows
    """Words, then buckets."""
    output: NDArray[np.float32]
    """Shape (labels, dim)."""


def load(path: str) -> Model:
    """Read a model.

    Raises:
        ValueError: The file is no supervised fastText model, is cut or broken, or is of a kind that fastText itself
            cannot use. The message says which, and what to do.
        OSError: The file cannot be read.
    """
    if Path(path).stat().st_size == 0:
        raise ValueError(f"{path} is empty: fetch the fastText model again")
    return _Reader(path).model()


@kernel
def walk_entries(
    data: NDArray[np.uint8],
    at: int,
    starts: NDArray[np.int64],
    lengths: NDArray[np.int32],
    counts: NDArray[np.int64],
    types: NDArray[np.int8],
) -> int:
    """Find the entries of the dictionary that begin at byte `at` of `data`.

    Args:
        data: The file.
        at: The first byte of the first entry.
        starts: Shape (entries,), filled: first byte of each.
        lengths: Shape (entries,), filled: bytes of each.
        counts: Shape (entries,), filled.
        types: Shape (entries,), filled.

    Returns:
        The byte after the last entry; -1 where the file ends before.
    """
    size = data.size
    for entry in range(starts.size):
        end = at
        while end < size and data[end] != 0:
            end += 1
        if end + 10 > size:
            return -1
        starts[entry] = at
        lengths[entry] = end - at
        count = np.int64(0)
        for byte in range(8):
            count |= np.int64(data[end + 1 + byte]) << (8 * byte)
        counts[entry] = count
        types[entry] = np.int8(data[end + 9])
        at = end + 10
    return at


@kernel
def fill_slots(
    data: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int32], slots: NDArray[np.int32]
) -> None:
    """Enter all entries in `slots`, filled with -1, at their hash or the next free place behind it."""
    mask = slots.size - 1
    for entry in range(starts.size):
        slot = np.int64(hash_bytes(data, starts[entry], starts[entry] + lengths[entry])) & mask
        while slots[slot] >= 0:
            slot = (slot + 1) & mask
        slots[slot] = entry


@kernel
def hash_bytes(data: NDArray[np.uint8], start: int, end: int) -> np.uint64:
    """FNV-1a of `data[start:end]` in 32 bits, each byte extended by its sign before it is folded in.

    The sign is fastText's (Dictionary::hash): its first models were trained so, and a hash is part of the model.
    (G. Fowler, L. C. Noll, P. Vo, D. Eastlake, The FNV Non-Cryptographic Hash Algorithm.)
    """
    state = np.uint64(2166136261)
    for at in range(start, end):
        byte = np.uint64(data[at])
        if byte >= np.uint64(128):
            byte |= np.uint64(0xFFFFFF00)
        state = ((state ^ byte) * np.uint64(16777619)) & np.uint64(0xFFFFFFFF)
    return state


class _Reader:
    """A file, and the place where reading has come to."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._data: NDArray[np.uint8] = np.memmap(path, np.uint8, "r").view(np.ndarray)
        self._at = 0

    def model(self) -> Model:
        """Read the whole file."""
        if self._data.size < 8 or self._take("<i")[0] != _MAGIC:
            raise ValueError(f"{self._path} is no fastText model: its first four bytes are not {_MAGIC}")
        (version,) = self._take("<i")
        if version not in (11, 12):
            raise self._wrong(f"its format has version {version}, known are 11 and 12")
        dim, _, _, _, _, word_ngrams, loss, kind, bucket, minn, maxn, _, _ = self._take("<12id")
        if kind != _SUPERVISED:
            raise self._wrong("it holds word vectors and no labels: train it with `supervised`")
        if loss not in _LOSSES:
            raise self._wrong(f"there is no loss number {loss}")
        if version == 11:
            maxn = 0  # such models have no character n-grams, whatever they say (FastText::loadModel)
        if not 0 < dim <= MOST_COLUMNS or bucket < 0:
            raise self._wrong(f"dimension {dim} and {bucket} buckets cannot be")
        if bucket == 0 and (maxn > 0 or word_ngrams > 1):
            raise self._wrong("it has n-grams and no buckets for them")
        words, labels, counts, pruned_size = self._dictionary()
        pruned = self._pruned(bucket, pruned_size)
        behind = bucket if pruned_size < 0 else pruned_size
        quantised = self._flag("the input matrix")
        if not quantised and pruned_size >= 0:
            raise self._wrong("its dictionary is pruned and its matrix is not quantised: fastText refuses it too")
        rows = self._quantised(dim) if quantised else Rows(self._dense(dim), *_no_codes())
        if len(rows.codes if quantised else rows.dense) != words.words + behind:
            raise self._wrong(f"its input matrix does not have one row for each of {words.words + behind} features")
        quantised = self._flag("the output matrix") and quantised
        output = _decoded(self._quantised(dim), dim) if quantised else self._dense(dim)
        if len(output) != len(labels):
            raise self._wrong(f"its output matrix has {len(output)} rows for {len(labels)} labels")
        if self._at != self._data.size:
            raise self._wrong(f"{self._data.size - self._at} bytes follow after its end")
        if not np.isfinite(output).all():
            raise self._wrong("its output matrix has entries that are no numbers")
        return Model(
            path=self._path, labels=labels, label_counts=counts, dim=dim, minn=minn, maxn=max(maxn, 0),
            word_ngrams=word_ngrams, bucket=bucket, loss=_LOSSES[loss], words=words, pruned=pruned,
            is_pruned=pruned_size >= 0, rows=rows, output=_frozen(np.array(output, np.float32)),
        )  # fmt: skip

    def _dictionary(self) -> tuple[Words, tuple[str, ...], NDArray[np.int64], int]:
        """The dictionary, the labels with their counts, and how many buckets are left (-1: all)."""
        size, words, count, _, pruned = self._take("<3i2q")
        # Ten bytes are the least that an entry takes: a number above is no number of entries.
        if size < 0 or words < 0 or count <= 0 or words + count != size or size > self._data.size // 10:
            raise self._wrong(f"its dictionary of {size} entries, {words} words and {count} labels cannot be")
        starts, lengths = np.empty(size, np.int64), np.empty(size, np.int32)
        counts, types = np.empty(size, np.int64), np.empty(size, np.int8)
        end = walk_entries(self._data, self._at, starts, lengths, counts, types)
        if end < 0:
            raise self._cut()
        self._at = end
        if (types[:words] != _WORD).any() or (types[words:] != _LABEL).any():
            raise self._wrong("the entries of its dictionary are not all words and then all labels")
        # fastText makes the tree of `hs` from the counts, and takes 1e15 for more than any of them.
        if (counts < 0).any() or counts[words:].max() > 10**12:
            raise self._wrong("the count of an entry of its dictionary cannot be")
        slots = np.full(1 << (2 * size).bit_length(), -1, np.int32)
        fill_slots(self._data, starts, lengths, slots)
        names = (
            self._data[at : at + length].tobytes() for at, length in zip(starts[words:], lengths[words:], strict=True)
        )
        try:
            labels = tuple(name.decode() for name in names)
        except UnicodeDecodeError as problem:
            raise self._wrong(f"a label is not UTF-8 ({problem})") from None
        table = Words(self._data, _frozen(starts), _frozen(lengths), _frozen(slots), words)
        return table, labels, _frozen(counts[words:].copy()), pruned

    def _pruned(self, bucket: int, size: int) -> NDArray[np.int32]:
        """Row behind the words of each bucket of a pruned dictionary."""
        if size <= 0:
            return _frozen(np.empty(0, np.int32))
        if bucket > MOST_BUCKETS:
            raise self._wrong(f"{bucket} buckets are more than {MOST_BUCKETS}")
        pairs = self._array(np.int32, (size, 2))
        if (pairs < 0).any() or (pairs[:, 0] >= bucket).any() or (pairs[:, 1] >= size).any():
            raise self._wrong("a pruned bucket or its row is out of range")
        table = np.full(bucket, -1, np.int32)
        table[pairs[:, 0]] = pairs[:, 1]
        return _frozen(table)

    def _dense(self, dim: int) -> NDArray[np.float32]:
        rows, columns = self._take("<2q")
        if columns != dim or rows < 0:
            raise self._wrong(f"a matrix of {rows} rows has {columns} columns and not {dim}")
        return self._array(np.float32, (rows, columns))

    def _quantised(self, dim: int) -> Rows:
        has_norms = self._flag("a quantised matrix")
        rows, columns, size = self._take("<2qi")
        if columns != dim or rows < 0:
            raise self._wrong(f"a matrix of {rows} rows has {columns} columns and not {dim}")
        flat = self._array(np.uint8, (size,))
        centroids = self._quantiser(dim)
        if size != rows * len(centroids):
            raise self._wrong(f"{size} codes are not {len(centroids)} for each of {rows} rows")
        norm_codes, norms = np.zeros(rows, np.uint8), np.ones(_CENTROIDS, np.float32)
        if has_norms:
            norm_codes = self._array(np.uint8, (rows,))
            norms = self._quantiser(1)[0, :, 0].copy()
        return Rows(
            _no_dense(dim), flat.reshape(rows, len(centroids)), _frozen(centroids), _frozen(norm_codes), _frozen(norms)
        )

    def _quantiser(self, dim: int) -> NDArray[np.float32]:
        """The centroids of a product quantiser, shape (parts, 256, part)."""
        columns, parts, part, last = self._take("<4i")
        if columns != dim or part <= 0 or parts != -(-dim // part) or last != dim - (parts - 1) * part:
            raise self._wrong(f"its quantiser of {columns} = {parts} x {part} numbers, the last {last}, cannot be")
        flat = self._array(np.float32, (dim * _CENTROIDS,))
        centroids = np.zeros((parts, _CENTROIDS, part), np.float32)
        whole = (parts - 1) * _CENTROIDS * part
        centroids[:-1] = flat[:whole].reshape(parts - 1, _CENTROIDS, part)
        centroids[-1, :, :last] = flat[whole:].reshape(_CENTROIDS, last)
        return centroids

    def _take(self, layout: str) -> tuple[Any, ...]:
        size = struct.calcsize(layout)
        return struct.unpack(layout, self._bytes(size).tobytes())

    def _flag(self, of: str) -> bool:
        (value,) = self._take("<B")
        if value > 1:
            raise self._wrong(f"whether {of} is quantised must be 0 or 1, not {value}")
        return bool(value)

    def _array(self, kind: type[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        """A view of the file, which is only rarely aligned."""
        count = 1
        for extent in shape:
            count *= extent
        view: NDArray[Any] = self._bytes(count * np.dtype(kind).itemsize).view(kind).reshape(shape)
        return view

    def _bytes(self, size: int) -> NDArray[np.uint8]:
        if size < 0 or self._at + size > self._data.size:
            raise self._cut()
        self._at += size
        return self._data[self._at - size : self._at]

    def _cut(self) -> ValueError:
        return self._wrong(f"it ends too early, after {self._data.size} bytes")

    def _wrong(self, what: str) -> ValueError:
        return ValueError(f"{self._path} is no fastText model that can be used: {what}; fetch it again or name another")


def _no_dense(dim: int) -> NDArray[np.float32]:
    # One row that nothing reads. It is not aligned, as that of a file hardly ever is, so that kernels are compiled once
    # for both.
    none = np.zeros(4 * dim + 1, np.uint8)[1:].view(np.float32).reshape(1, dim)
    return _frozen(none)


def _no_codes() -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8], NDArray[np.float32]]:
    codes, centroids = np.empty((0, 0), np.uint8), np.empty((0, _CENTROIDS, 0), np.float32)
    return _frozen(codes), _frozen(centroids), _frozen(np.empty(0, np.uint8)), _frozen(np.empty(0, np.float32))


def _decoded(rows: Rows, dim: int) -> NDArray[np.float32]:
    """The numbers of a quantised matrix, shape (rows, dim)."""
    parts = np.arange(rows.codes.shape[1])
    numbers = rows.centroids[parts, rows.codes].reshape(len(rows.codes), -1)[:, :dim]
    return (numbers * rows.norms[rows.norm_codes, None]).astype(np.float32)


def _frozen(array: Array) -> Array:
    # A writable and a read-only array are two types for a kernel.
    array.setflags(write=False)
    return array
