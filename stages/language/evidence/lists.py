"""Lists of each label's most telling words, as one small table of fingerprints, and the file that it lies in.

Of a word there are the hash of it and its label, and what it speaks for the label: the logarithm of how much more
frequent it is there than in the mean of all labels, in 16 steps. The file lies beside the model, with the same name and
the ending `.words`: `MAGIC`; labels, entries and bits of a hash as uint32; `Weights` as int32 in 1,024ths; the SHA-256
of the labels; for each label uint16 `missing`, then for each uint16 `expected`, in hundredths of a nat; for each entry
in order of hash the difference to the one before as uint16; then the steps, two in a byte, the first in its lower half.
All numbers are little-endian. 1.2 million entries are 3 MB.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MAGIC = b"LAUTERW2"
SUFFIX = ".words"
STEP = 0.65
"""Nats that a step is worth: 16 of them reach from a word that says next to nothing to one that 1 of 2,000 labels has,
where one word in twenty is missing in the list (10.5 nats)."""
STEPS = 16
HUNDREDTHS = 100
SCALE = 1024
"""Weights are kept in 1,024ths, so that the last bit of a sum on another machine does not change the file."""
MOST_BITS = 32
_HEAD = struct.Struct("<8s3I5i32s")


class Weights(NamedTuple):
    """How word evidence changes an answer (`weigh`)."""

    among: float
    """Of the evidence in the choice among labels."""
    constant: float
    """Of the log-odds that the answer is right: constant, the model's log-odds, agreement times the cube root of the
    number of words, and that root."""
    log_odds: float
    agreement: float
    words: float


class WordLists(NamedTuple):
    """The table in memory."""

    keys: NDArray[np.uint32]
    """Shape (entries,), in order: hashes of word and label (`weigh.key_of`)."""
    steps: NDArray[np.uint8]
    """Shape (entries,): 1 to 16."""
    starts: NDArray[np.uint32]
    """Shape (a power of two + 1,): the first entry whose upper bits are at least the place."""
    bits: int
    """Of a hash."""
    start_bits: int
    """Of a place in `starts`: the upper ones of a hash."""
    missing: NDArray[np.float64]
    """Shape (labels,): the logarithm of the share of a text's words that the list misses, at most 0; 0: no list, the
    words of its texts say nothing."""
    expected: NDArray[np.float64]
    """Shape (labels,): nats that a word of a text in the label speaks for it in the mean, beyond a missing one; above 0
    where there is a list."""
    weights: Weights


def of_entries(
    keys: NDArray[np.uint32],
    steps: NDArray[np.uint8],
    bits: int,
    missing: NDArray[np.uint16],
    expected: NDArray[np.uint16],
    weights: Weights,
) -> WordLists:
    """The table of sorted entries; `missing` in hundredths of a nat below 0, `expected` in such above."""
    start_bits = min(20, bits)
    bounds = np.arange((1 << start_bits) + 1, dtype=np.uint64) << np.uint64(bits - start_bits)
    starts = np.searchsorted(keys, bounds).astype(np.uint32)
    lacks, speaks = missing.astype(np.float64) / -HUNDREDTHS, expected.astype(np.float64) / HUNDREDTHS
    return WordLists(keys, steps, starts, bits, start_bits, lacks, speaks, weights)


def write(path: Path, lists: WordLists, labels: Sequence[str]) -> None:
    """Write the file of the lists of a model with these labels, in its order.

    Raises:
        ValueError: Two hashes that follow one another are too far apart: the hashes have too many bits for so few.
    """
    gaps = np.diff(lists.keys.astype(np.int64), prepend=0)
    if len(gaps) and int(gaps.max()) > np.iinfo(np.uint16).max:
        raise ValueError(f"{len(gaps)} hashes of {lists.bits} bits are too far apart")
    weights = [round(value * SCALE) for value in lists.weights]
    head = _HEAD.pack(MAGIC, len(lists.missing), len(gaps), lists.bits, *weights, _digest(labels))
    halves = np.zeros(len(gaps) + len(gaps) % 2, np.uint8)
    halves[: len(gaps)] = lists.steps - 1
    with path.open("wb") as file:
        file.write(head)
        file.write(np.rint(lists.missing * -HUNDREDTHS).astype("<u2").tobytes())
        file.write(np.rint(lists.expected * HUNDREDTHS).astype("<u2").tobytes())
        file.write(gaps.astype("<u2").tobytes())
        file.write((halves[::2] | halves[1::2] << 4).tobytes())


def read(path: Path, labels: Sequence[str]) -> WordLists:
    """Read the file of the lists of a model with these labels.

    Raises:
        ValueError: It is no such file, is cut short, or belongs to a model with other labels.
        OSError: It cannot be read.
    """
    content = path.read_bytes()
    if len(content) < _HEAD.size or content[: len(MAGIC)] != MAGIC:
        raise ValueError(f"{path} is no file of word lists; `lauter lang train` writes them beside a model")
    _, count, entries, bits, *rest, digest = _HEAD.unpack_from(content)
    size = _HEAD.size + 4 * count + 2 * entries + (entries + 1) // 2
    if len(content) != size or not 1 <= bits <= MOST_BITS:
        raise ValueError(f"{path} is damaged: {len(content)} bytes, not {size}, hashes of {bits} bits; fetch it again")
    if count != len(labels) or digest != _digest(labels):
        raise ValueError(f"{path} belongs to another model: its {count} labels are not the model's {len(labels)}")
    missing, expected = np.frombuffer(content, "<u2", 2 * count, _HEAD.size).reshape(2, count)
    gaps = np.frombuffer(content, "<u2", entries, _HEAD.size + 4 * count)
    halves = np.frombuffer(content, np.uint8, (entries + 1) // 2, _HEAD.size + 4 * count + 2 * entries)
    steps = np.stack([halves & 15, halves >> 4], axis=1).reshape(-1)[:entries] + np.uint8(1)
    keys = np.cumsum(gaps, dtype=np.uint64)
    if entries and int(keys[-1]) >> bits:
        raise ValueError(f"{path} is damaged: a hash has more than {bits} bits; fetch it again")
    if ((missing > 0) & (expected == 0)).any():
        raise ValueError(f"{path} is damaged: of a label with a list nothing is expected; fetch it again")
    weights = Weights(*(value / SCALE for value in rest))
    return of_entries(keys.astype(np.uint32), steps, bits, missing, expected, weights)


def _digest(labels: Sequence[str]) -> bytes:
    return hashlib.sha256("\n".join(labels).encode()).digest()
