"""How many cores a compiled pass takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numba
import torch

_SMALL = 1 << 16


@contextmanager
def threads(elements: int) -> Iterator[None]:
    """Within it numba uses as many threads as torch, so that ranks on one machine do not get in each other's way.

    At most 65,536 elements are done by the caller alone: a pass over them takes 30 us, waking the other threads 5 us
    on an idle machine and 4 ms on a busy one.
    """
    wanted = torch.get_num_threads()
    # The first question to numba starts its OpenMP pool, which calls omp_set_num_threads with all cores: torch, which
    # has the same OpenMP, would use them all from then on.
    before = numba.get_num_threads()
    if torch.get_num_threads() != wanted:
        torch.set_num_threads(wanted)
    numba.set_num_threads(min(wanted if elements > _SMALL else 1, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    try:
        yield
    finally:
        numba.set_num_threads(before)
