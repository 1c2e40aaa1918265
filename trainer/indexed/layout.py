"""The index file of a Megatron dataset, byte by byte.

Source: Megatron-LM's `megatron/core/datasets/indexed_dataset.py` (0.16), which Apertus's fork has unchanged.
`PREFIX.bin` is ids one after the other. `PREFIX.idx`, little-endian:

    0           9 bytes     MMIDIDX, two zero bytes
    9           uint64      version, 1
    17          uint8       code of the ids' dtype (`CODES`)
    18          uint64      N, number of sequences
    26          uint64      M, number of document borders: documents + 1
    34          int32[N]    tokens of each sequence
    34 + 4N     int64[N]    where each sequence starts in PREFIX.bin, bytes
    34 + 12N    int64[M]    document borders, as numbers of sequences: 0 first, N last

Lauter writes a sequence for each document.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAGIC: Final = b"MMIDIDX\0\0"
VERSION: Final = 1
_HEADER = struct.Struct("<9sQBQQ")
HEADER_BYTES: Final = _HEADER.size

CODES: Final = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 6: "<f8", 7: "<f4", 8: "<u2"}
"""Code of a dtype -> the dtype, little-endian."""

LARGEST_UINT16: Final = 1 << 16
"""Ids of a vocabulary that fits into two bytes, at most."""


@dataclass(frozen=True, slots=True)
class Header:
    """The first 34 bytes."""

    code: int
    sequences: int
    borders: int

    def to_bytes(self) -> bytes:
        """As it is written."""
        return _HEADER.pack(MAGIC, VERSION, self.code, self.sequences, self.borders)

    @property
    def size(self) -> int:
        """Bytes of the whole index file."""
        return HEADER_BYTES + 12 * self.sequences + 8 * self.borders


def read_header(data: bytes) -> Header:
    """The header from its bytes.

    Raises:
        ValueError: it is cut, or not that of an index of version 1.
    """
    if len(data) < HEADER_BYTES:
        raise ValueError(f"it has {len(data)} bytes, and the header alone has {HEADER_BYTES}")
    magic, version, code, sequences, borders = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise ValueError("it does not begin with MMIDIDX")
    if version != VERSION:
        raise ValueError(f"it is of version {version}; only {VERSION} is known")
    return Header(code, sequences, borders)


def dtype_of(ids: int) -> tuple[int, np.dtype[np.generic]]:
    """Code and dtype that hold the ids 0 to `ids` - 1 in the fewest bytes: uint16, or int32.

    Megatron itself takes int32 from 65,500 ids on already; it reads either.

    >>> dtype_of(65_536)[1].itemsize, dtype_of(65_537)[1].itemsize
    (2, 4)
    """
    code = 8 if ids <= LARGEST_UINT16 else 4
    return code, np.dtype(CODES[code])


def pointers(lengths: NDArray[np.int32], first: int, item_bytes: int) -> tuple[NDArray[np.int64], int]:
    """Where sequences start in the ids' file, bytes, from the first one's place; and where the next one would.

    `lengths` has shape (n,), the result (n,).
    """
    ends = first + np.cumsum(lengths, dtype=np.int64) * item_bytes
    starts = np.concatenate([np.full(1, first, np.int64), ends[:-1]])[: len(lengths)]
    return starts, int(ends[-1]) if len(lengths) else first
