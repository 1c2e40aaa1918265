"""The gradient of an embedding: rows of the same id summed; see `embedding`."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import float_kernel
from lauter.trainer.bfloat16 import load, store


@float_kernel
def sum_rows(
    grad: NDArray[Any],
    places: NDArray[np.int64],
    ends: NDArray[np.int64],
    present: NDArray[np.int64],
    out: NDArray[Any],
) -> None:
    """Write into row present[n] of `out` the sum, in float32, of the rows of `grad` at places[ends[n - 1] : ends[n]].

    `grad` (T, width) and `out` (ids, width) are float32 or bfloat16 bits; the rows are added in the order of `places`.
    """
    for n in numba.prange(present.size):
        total = np.zeros(out.shape[1], np.float32)
        row = out[present[n]]
        for place in places[ends[n - 1] if n > 0 else 0 : ends[n]]:
            values = grad[place]
            for i in range(total.size):
                total[i] += load(values, i)
        for i in range(total.size):
            store(row, i, total[i])
