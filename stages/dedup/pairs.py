"""Which items that share a key are compared: all of them in a small bucket, those with two hubs in a large one.

What hubs alone would lose: of a group of copies the document that is to stay is seldom a hub, so the hubs fall and the
others were never compared with it. Of 1,000 texts that are all copies of each other (similarity 0.87) 678 would stay.
The engine therefore proposes pairs once more after the first choice, each item with what stands for its neighbours. So
1 stays, as with all pairs, for 14,413 pairs in place of 498,047 (`benchmarks/large_buckets.py`; the same in groups of
20 to 200). On 4,287 different texts of real pages, whose largest bucket has 40, hubs make 828 pairs and all make 1,599.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel

ALL_PAIRS = 8
"""Items of the largest bucket in which each is compared with each: 3.5 pairs an item, against 2 with hubs."""


def pairs_of_buckets(key: NDArray[np.uint64], item: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Pairs of different items that share a key, shape (p, 2), the smaller first; some more than once.

    `key`, `item`: shape (r,), sorted by key, then item; no row twice. A bucket of m items has m * (m - 1) / 2 pairs up
    to `ALL_PAIRS`, above it 2 * m - 3: its smallest and its largest item with each other one.
    """
    views = []
    for array in (key, item):
        view = array.view()
        # numba compiles once more for an array that may be written.
        view.flags.writeable = False
        views.append(view)
    return bucket_pairs(views[0], views[1], ALL_PAIRS)


@kernel
def bucket_pairs(key: NDArray[np.uint64], item: NDArray[np.uint64], all_pairs: int) -> NDArray[np.uint64]:
    """`pairs_of_buckets` with another limit; two passes, so that memory is that of the result."""
    count = 0
    start = 0
    while start < key.size:
        end = start + 1
        while end < key.size and key[end] == key[start]:
            end += 1
        size = end - start
        count += size * (size - 1) // 2 if size <= all_pairs else 2 * size - 3
        start = end
    pairs = np.empty((count, 2), np.uint64)
    place = 0
    start = 0
    while start < key.size:
        end = start + 1
        while end < key.size and key[end] == key[start]:
            end += 1
        # Every item is the smaller of pairs with all that follow, or only the first is; then the last is the larger.
        small = end - start <= all_pairs
        for smaller in range(start, end if small else start + 1):
            for larger in range(smaller + 1, end):
                pairs[place, 0] = item[smaller]
                pairs[place, 1] = item[larger]
                place += 1
        for smaller in range(end if small else start + 1, end - 1):
            pairs[place, 0] = item[smaller]
            pairs[place, 1] = item[end - 1]
            place += 1
        start = end
    return pairs
