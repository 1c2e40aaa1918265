"""Kernel: XXH3-64 with seed 0 of 9 to 128 bytes, which is the id of nearly every origin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel

SHORTEST, LONGEST = 9, 128
"""Bytes. XXH3 has a way of its own for shorter and for longer input; `http://a.b` has 10, longer origins are rare."""

# XXH3 specification (doc/xxhash_spec.md of xxHash 0.8.2), "Final mixing step" and the default secret, as far as it is
# read by inputs of these lengths.
_SECRET = np.frombuffer(
    bytes.fromhex(
        "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221"
        "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8"
        "fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    ),
    np.uint64,
)
_PRIME = np.uint64(0x9E3779B185EBCA87)
_AVALANCHE = np.uint64(0x165667919E3779F9)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_BYTE = np.uint64(8)


@kernel
def _read(data: NDArray[np.uint8], at: int) -> np.uint64:
    value = np.uint64(0)
    for k in range(7, -1, -1):
        value = value << _BYTE | np.uint64(data[at + k])
    return value


@kernel
def _fold(a: np.uint64, b: np.uint64) -> np.uint64:
    """The 128-bit product of two words, its halves folded by XOR."""
    a_low, a_high = a & _LOW, a >> _HALF
    b_low, b_high = b & _LOW, b >> _HALF
    low = a_low * b_low
    cross = (low >> _HALF) + (a_high * b_low & _LOW) + a_low * b_high
    high = (a_high * b_low >> _HALF) + (cross >> _HALF) + a_high * b_high
    return (cross << _HALF | low & _LOW) ^ high


@kernel
def _mix(data: NDArray[np.uint8], at: int, word: int) -> np.uint64:
    return _fold(_read(data, at) ^ _SECRET[word], _read(data, at + 8) ^ _SECRET[word + 1])


@kernel
def xxh3(data: NDArray[np.uint8], start: int, end: int) -> np.uint64:
    """XXH3-64 of data[start:end], 9 to 128 bytes."""
    size = end - start
    if size <= 16:
        low = _read(data, start) ^ _SECRET[3] ^ _SECRET[4]
        high = _read(data, end - 8) ^ _SECRET[5] ^ _SECRET[6]
        swapped = np.uint64(0)
        for k in range(8):
            swapped = swapped << _BYTE | (low >> np.uint64(8 * k) & np.uint64(255))
        state = np.uint64(size) + swapped + high + _fold(low, high)
    else:
        state = np.uint64(size) * _PRIME
        # From both ends inwards, 16 bytes of each at a time.
        for k in range((size - 1) // 32, -1, -1):
            state += _mix(data, start + 16 * k, 4 * k)
            state += _mix(data, end - 16 * (k + 1), 4 * k + 2)
    state ^= state >> np.uint64(37)
    state *= _AVALANCHE
    return np.uint64(state ^ state >> _HALF)
