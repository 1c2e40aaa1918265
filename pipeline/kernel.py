"""How every kernel is compiled: once per node, into a cache that a changed kernel can never hit.

Numba's own cache key misses changes in functions that a kernel calls. Here the cache folder's name is the digest of
the numba version, of this file, and of every source that a kernel can come from: each file of its room that imports
from here. Stale machine code is unreachable.

Every decorator names all its floating-point rules. Numba lets a function that leaves them out inherit its first
caller's, and its cache does not tell the two apart: results would depend on what was compiled first on the machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import xxhash

_IMPORT = b"lauter.pipeline.kernel import"

# What may change a kernel's result in the last bits, and in return lets LLVM use vectors: sums in any order, one
# rounding for a product and a sum, a division as a product. NaN and infinity keep their meaning.
_FAST = {"reassoc", "contract", "arcp", "nsz"}

Function = TypeVar("Function", bound=Callable[..., Any])


@cache
def cache_folder(room: str) -> Path:
    """The folder for compiled kernels: `$LAUTER_CACHE` or the user's cache, then the digest of the room's sources."""
    # The room itself: globbing does not follow the links that rooms are in a checkout.
    digest = source_digest(Path(__file__).parents[1] / room)
    root = os.environ.get("LAUTER_CACHE") or os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "lauter-kernels" / digest


def source_digest(room: Path) -> str:
    """Digest of the numba version, this file and all sources below `room` that hold kernels, in hexadecimal."""
    digest = xxhash.xxh3_128(numba.__version__.encode() + b"\0" + Path(__file__).read_bytes())
    for source in sorted(room.rglob("*.py")):
        content = source.read_bytes()
        if _IMPORT in content:
            digest.update(source.relative_to(room).as_posix().encode() + b"\0" + content)
    return digest.hexdigest()


def kernel(function: Function) -> Function:
    """Compile with LLVM on first call, without the interpreter lock, and keep the machine code for the next process.

    Floats are exact: each operation rounds as IEEE 754 says, x / 0 raises.
    """
    compiled = _compiler(function)(function, cache=True, nogil=True, fastmath=False, error_model="python")
    return cast(Function, compiled)


def float_function(function: Function) -> Function:
    """As `kernel`, for what a `float_kernel` calls on each element: sums keep their order, x / 0 is infinity or NaN.

    One rounding for a product and a sum is allowed: a polynomial then takes 0.4 ns an element, without it 0.5. The
    order is kept, as `(power - 1) + power * p - x` loses all its digits near 0 in another one.
    """
    compiled = _compiler(function)(function, cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
    return cast(Function, compiled)


def float_kernel(function: Function) -> Function:
    """As `kernel`, for arithmetic on floats over all cores: `numba.prange` is parallel, sums are in any order.

    x / 0 is infinity or NaN, as in numpy: Python's rule, an exception, is a branch that keeps LLVM from using vectors.
    What it calls keeps its own rules.
    """
    compiled = _compiler(function)(function, cache=True, nogil=True, parallel=True, fastmath=_FAST, error_model="numpy")
    return cast(Function, compiled)


def _compiler(function: Callable[..., Any]) -> Callable[..., Any]:
    room = function.__module__.split(".")[1] if function.__module__.startswith("lauter.") else "stages"
    numba.config.CACHE_DIR = str(cache_folder(room))  # type: ignore[attr-defined]  # made when numba is imported
    return numba.njit
