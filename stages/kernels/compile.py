"""How every kernel is compiled: once per node, into a cache that a changed kernel can never hit.

Numba's own cache key misses changes in functions that a kernel calls. Here the cache folder's name is the digest of
all kernel sources and of the numba version, so stale machine code is unreachable.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import xxhash

Function = TypeVar("Function", bound=Callable[..., Any])


@cache
def cache_folder() -> Path:
    """The folder for compiled kernels: `$LAUTER_CACHE` or the user's cache, then the digest of the sources."""
    digest = xxhash.xxh3_128(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + source.read_bytes())
    root = os.environ.get("LAUTER_CACHE") or os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "lauter-kernels" / digest.hexdigest()


def kernel(function: Function) -> Function:
    """Compile with LLVM on first call, without the interpreter lock, and keep the machine code for the next process."""
    numba.config.CACHE_DIR = str(cache_folder())  # type: ignore[attr-defined]  # made when numba is imported
    return cast(Function, numba.njit(function, cache=True, nogil=True))
