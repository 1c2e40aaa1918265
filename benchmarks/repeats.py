"""Substrings of 50 tokens that stood before: Lauter beside a suffix array, on the token ids of a finished corpus.

The suffix array is libdivsufsort's, through pydivsufsort, with the LCP array by Kasai: as fast a way to Lee et al.'s
rule (arXiv 2107.06499) as Python has. Both must find the same ids. These are what the corpus's shards hold, without BOS
and EOS, the first `TOKENS` of them. Seconds are CPU seconds of the process, the best of `PASSES`.

    python benchmarks/repeats.py [RUN FOLDER]        default: out/all-pages; pydivsufsort is compared where installed
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lauter.pipeline.steps.repeats import repeated_spans

PASSES = 3
WINDOW = 50
TOKENS = 1 << 20

Ids = NDArray[np.uint32]
Offsets = NDArray[np.int64]


def read_ids(folder: Path) -> tuple[Ids, Offsets]:
    """The ids of whole documents, in shard order, without BOS and EOS, at most `TOKENS`."""
    columns = [pq.read_table(path, columns=["tokens"]).column(0) for path in sorted(folder.rglob("*.parquet"))]
    lists = pa.concat_arrays([chunk for column in columns for chunk in column.chunks])
    ids, bounds = lists.flatten().to_numpy(), lists.offsets.to_numpy().astype(np.int64) - lists.offsets[0].as_py()
    count = int(np.searchsorted(bounds, TOKENS, "right")) - 1
    inner = np.ones(int(bounds[count]), np.bool_)
    inner[bounds[:count]] = inner[bounds[1 : count + 1] - 1] = False
    return ids[: bounds[count]][inner], bounds[: count + 1] - 2 * np.arange(count + 1)


def by_hashes(ids: Ids, offsets: Offsets) -> NDArray[np.bool_]:
    gone = np.zeros(len(ids), np.bool_)
    for start, end in repeated_spans(ids, offsets, WINDOW, np.zeros(len(ids), np.bool_)).tolist():
        gone[start:end] = True
    return gone


def by_suffixes(ids: Ids, offsets: Offsets) -> NDArray[np.bool_]:
    """The same rule from a suffix array: windows that share `WINDOW` ids are neighbours in it."""
    library = importlib.import_module("pydivsufsort")
    # An id of its own ends each document, so that no window that crosses an end equals another.
    _, dense = np.unique(ids, return_inverse=True)
    text = np.insert(dense.astype(np.int64), offsets[1:], dense.max() + 1 + np.arange(len(offsets) - 1))
    original = np.insert(np.arange(len(ids)), offsets[1:], -1)
    suffixes = library.divsufsort(text)
    shared = library.kasai(text, suffixes)
    # Suffix i and the next share shared[i] ids: runs of WINDOW or more are equal windows.
    group = np.concatenate([[0], np.cumsum(shared[: len(text) - 1] < WINDOW)])
    first = np.full(int(group[-1]) + 1, len(text), np.int64)
    np.minimum.at(first, group, suffixes)
    again = np.zeros(len(text), np.bool_)
    again[suffixes] = first[group] + WINDOW <= suffixes
    # Suffixes shorter than a window share fewer ids, so each is alone.
    gone = np.zeros(len(ids), np.bool_)
    for place in np.flatnonzero(again).tolist():
        gone[original[place] : original[place] + WINDOW] = True
    return gone


def cpu_seconds(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(PASSES):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def main() -> int:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out/all-pages") / "tokens"
    if not folder.is_dir():
        print(f"{folder} is not there, nothing measured; build benchmarks/all_pages.yaml, or name another run folder")
        return 0
    ids, offsets = read_ids(folder)
    by_hashes(ids[:100], np.array([0, 100]))  # Compiles, or loads the compiled kernels.
    gone = by_hashes(ids, offsets)
    print(f"{len(ids):,} tokens of {len(offsets) - 1:,} documents, {gone.mean():.2%} stand in repeats of {WINDOW}")
    ours = cpu_seconds(lambda: by_hashes(ids, offsets))
    print(f"lauter          {len(ids) / ours / 1e6:7.2f} M tokens/s")
    if importlib.util.find_spec("pydivsufsort") is None:
        print("pydivsufsort is not installed: left out")
        return 0
    same = bool((by_suffixes(ids, offsets) == gone).all())
    theirs = cpu_seconds(lambda: by_suffixes(ids, offsets))
    print(f"suffix array    {len(ids) / theirs / 1e6:7.2f} M tokens/s   ours is {theirs / ours:.1f} x; same: {same}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
