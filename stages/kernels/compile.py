"""How every kernel is compiled: once per node, into a cache that a changed kernel can never hit.

Numba's own cache key misses changes in functions that a kernel calls. Here the cache folder's name is the digest of
the numba version and of every source that a kernel can come from: all of this folder, and each file of the stages that
imports `kernel`. Stale machine code is unreachable.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import xxhash

_IMPORT = b"stages.kernels.compile import"

Function = TypeVar("Function", bound=Callable[..., Any])


@cache
def cache_folder() -> Path:
    """The folder for compiled kernels: `$LAUTER_CACHE` or the user's cache, then the digest of the sources."""
    digest = source_digest(Path(__file__).parents[1])
    root = os.environ.get("LAUTER_CACHE") or os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "lauter-kernels" / digest


def source_digest(stages: Path) -> str:
    """Digest of the numba version and of all sources below `stages` that hold kernels, in hexadecimal."""
    digest = xxhash.xxh3_128(numba.__version__.encode())
    for source in sorted(stages.rglob("*.py")):
        content = source.read_bytes()
        if source.parent == stages / "kernels" or _IMPORT in content:
            digest.update(source.relative_to(stages).as_posix().encode() + b"\0" + content)
    return digest.hexdigest()


def kernel(function: Function) -> Function:
    """Compile with LLVM on first call, without the interpreter lock, and keep the machine code for the next process."""
    numba.config.CACHE_DIR = str(cache_folder())  # type: ignore[attr-defined]  # made when numba is imported
    return cast(Function, numba.njit(function, cache=True, nogil=True))
