"""Reads a Megatron dataset in pieces of whole documents, and checks all that its index says before a token is used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lauter.trainer.indexed.errors import TokenDataError
from lauter.trainer.indexed.layout import CODES, HEADER_BYTES, Header, pointers, read_header

LARGEST_PIECE = (1 << 31) - 1
"""Tokens of a row group, at most: the offsets of an Arrow list have 32 bits."""

BLOCK = 1 << 18
"""Sequences whose borders are looked at together: 5 MB."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole documents one after the other."""

    first: int
    """Number of the first document in the dataset."""
    tokens: NDArray[np.uint32]
    """Shape (N,)."""
    lengths: NDArray[np.int64]
    """Tokens of each document, shape (n,)."""


@dataclass(frozen=True, slots=True)
class IndexedDataset:
    """A pair of files, mapped and checked."""

    prefix: Path
    header: Header
    tokens: NDArray[Any]
    """All ids, shape (tokens,), as they are stored."""
    lengths: NDArray[np.int32]
    """Tokens of each sequence, shape (sequences,)."""
    borders: NDArray[np.int64]
    """The first sequence of each document, and the number of sequences last; shape (documents + 1,)."""

    @property
    def documents(self) -> int:
        """How many there are; empty ones count."""
        return len(self.borders) - 1

    def pieces(self, target: int, ids: int) -> Iterator[Piece]:
        """All documents in order, a piece closed when it holds `target` tokens; `ids`: how many the tokenizer has.

        Raises:
            TokenDataError: a document holds an id that the tokenizer has not, or more tokens than a row group may.
        """
        held: list[NDArray[np.int64]] = []
        first = at = 0
        for block in range(0, self.documents, BLOCK):
            sizes = self._sizes(block, min(block + BLOCK, self.documents))
            start = 0
            for end in _cuts(sizes, sum(int(some.sum()) for some in held), target):
                piece = self._piece(first, at, [*held, sizes[start:end]], ids)
                yield piece
                first, at = first + len(piece.lengths), at + len(piece.tokens)
                held, start = [], end
            held.append(sizes[start:])
        if first < self.documents:
            yield self._piece(first, at, held, ids)

    def _piece(self, first: int, at: int, sizes: list[NDArray[np.int64]], ids: int) -> Piece:
        lengths = np.concatenate(sizes)
        if lengths.sum() > LARGEST_PIECE:
            raise TokenDataError(
                f"{self.prefix}: document {first + int(np.argmax(lengths)):,} has {lengths.max():,} tokens, and a row "
                f"group holds {LARGEST_PIECE:,}: cut it before the import"
            )
        tokens = self.tokens[at : at + int(lengths.sum())]
        strange = (tokens < 0) | (tokens >= ids)
        if strange.any():
            place = int(np.argmax(strange))
            document = first + int(np.searchsorted(np.cumsum(lengths), place, "right"))
            raise TokenDataError(
                f"{self.prefix}: document {document:,} has id {tokens[place]}, and the tokenizer has {ids:,}: name the "
                "tokenizer that the data was made with"
            )
        return Piece(first, tokens.astype(np.uint32), lengths)

    def _sizes(self, first: int, end: int) -> NDArray[np.int64]:
        """Tokens of the documents [first, end), which may be of several sequences each."""
        borders = self.borders[first : end + 1].astype(np.int64)
        sums = np.concatenate([[0], np.cumsum(self.lengths[borders[0] : borders[-1]], dtype=np.int64)])
        sizes: NDArray[np.int64] = np.diff(sums[borders - borders[0]])
        return sizes


def open_dataset(prefix: Path) -> IndexedDataset:
    """Map `PREFIX.bin` and `PREFIX.idx`, and check header, sizes, lengths, places and document borders.

    Raises:
        TokenDataError: a file is missing, cut or no Megatron dataset of token ids.
        OSError: a file can't be read.
    """
    idx, ids = prefix.with_name(f"{prefix.name}.idx"), prefix.with_name(f"{prefix.name}.bin")
    for path in (idx, ids):
        if not path.is_file():
            raise TokenDataError(f"{path} is missing: a Megatron dataset is the pair {ids.name} and {idx.name}")
    try:
        with idx.open("rb") as file:
            header = read_header(file.read(HEADER_BYTES))
        return _checked(prefix, header, idx, ids)
    except ValueError as error:
        raise TokenDataError(f"{idx}: no index of a Megatron dataset of texts: {error}; copy the pair again") from error


def _checked(prefix: Path, header: Header, idx: Path, ids: Path) -> IndexedDataset:
    if header.code not in CODES or "f" in CODES[header.code]:
        raise ValueError(f"code {header.code} is no dtype of token ids")
    size = idx.stat().st_size
    if header.borders < 1 or size != header.size:
        raise ValueError(
            f"{header.sequences:,} sequences and {header.borders:,} borders take {header.size:,} bytes, and it has "
            f"{size:,}"
        )
    mapped = np.memmap(idx, np.uint8, "r")
    places = HEADER_BYTES + 4 * header.sequences
    lengths = np.frombuffer(mapped, "<i4", header.sequences, HEADER_BYTES)
    starts = np.frombuffer(mapped, "<i8", header.sequences, places)
    borders = np.frombuffer(mapped, "<i8", header.borders, places + 8 * header.sequences)
    dtype = np.dtype(CODES[header.code])
    at = 0
    for first in range(0, header.sequences, BLOCK):
        block = lengths[first : first + BLOCK]
        if (block < 0).any():
            raise ValueError(f"sequence {first + int(np.argmax(block < 0)):,} has a negative length")
        expected, at = pointers(block, at, dtype.itemsize)
        wrong = starts[first : first + BLOCK] != expected
        if wrong.any():
            raise ValueError(f"sequence {first + int(np.argmax(wrong)):,} does not lie where the one before it ends")
    for first in range(0, header.borders, BLOCK):
        if (np.diff(borders[first : first + BLOCK + 1]) < 0).any():
            raise ValueError("its document borders do not ascend")
    if borders[0] != 0 or borders[-1] != header.sequences:
        raise ValueError(f"its documents are the sequences {borders[0]:,} to {borders[-1]:,}, not all of them")
    if ids.stat().st_size != at:
        raise ValueError(f"its sequences take {at:,} bytes, and {ids.name} has {ids.stat().st_size:,}")
    tokens = np.memmap(ids, dtype, "r") if at else np.empty(0, dtype)
    return IndexedDataset(prefix, header, tokens, lengths, borders)


def _cuts(sizes: NDArray[np.int64], held: int, target: int) -> list[int]:
    """Where pieces end in `sizes`, shape (n,), if `held` tokens wait already: each is closed at `target` or more."""
    ends = np.cumsum(sizes)
    found: list[int] = []
    base = -held
    while True:
        end = int(np.searchsorted(ends, base + target)) + 1
        if end > len(ends):
            return found
        found.append(end)
        base = int(ends[end - 1])
