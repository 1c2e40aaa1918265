"""Whether this machine has compiled the kernels of a training step before."""

from __future__ import annotations

from lauter.pipeline.kernel import cache_folder


def compiled_before() -> bool:
    """Whether the optimizer's kernels are in the cache: a step comes to them last, and nothing but training does.

    Numba keeps an index (`.nbi`) a function, in a folder named after the one that holds its source.
    """
    return any(cache_folder("trainer").glob("optimizer_*/*.nbi"))
