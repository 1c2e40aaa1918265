"""Hands a rank its share of each step, read ahead by a thread."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from lauter.trainer.batch import Batch
from lauter.trainer.data.source import SampleSource


class Loader:
    """Rank r of N takes the r-th of N equal runs of each step's samples, in micro-batches of `micro` windows.

    A run lies together in its streams, so that a rank decodes few row groups. Nothing is kept from step to step: what
    comes next is for the caller to say.
    """

    def __init__(self, samples: SampleSource, *, rank: int, ranks: int, micro: int, prefetch: int) -> None:
        """`prefetch`: so many expected steps at most are read ahead; 0 for no thread."""
        self._samples = samples
        self._rank, self._ranks, self._micro = rank, ranks, micro
        self._prefetch = prefetch
        self._expected: dict[tuple[int, int], Future[list[Batch]]] = {}
        # Arrow and our kernels release the interpreter's lock, so one thread reads while the model computes.
        self._thread = ThreadPoolExecutor(1, "loader") if prefetch else None

    def step(self, first: int, count: int) -> list[Batch]:
        """This rank's micro-batches of the samples [first, first + count).

        Raises:
            ValueError: `count` is no multiple of micro x ranks.
            DataError: a sample lies behind the last stage, or a shard can't be read.
        """
        found = self._expected.pop((first, count), None)
        if found is not None:
            return found.result()
        # Steps that were expected and did not come: the caller went somewhere else.
        self._forget()
        return self._read(first, count)

    def expect(self, first: int, count: int) -> None:
        """Read the step ahead, unless `prefetch` steps are being read already."""
        if self._thread is not None and len(self._expected) < self._prefetch and (first, count) not in self._expected:
            self._expected[first, count] = self._thread.submit(self._read, first, count)

    def close(self) -> None:
        """Stop reading ahead."""
        self._forget()
        if self._thread is not None:
            self._thread.shutdown()

    def _forget(self) -> None:
        for future in self._expected.values():
            future.cancel()
        self._expected.clear()

    def _read(self, first: int, count: int) -> list[Batch]:
        share, left = divmod(count, self._ranks)
        if left or share % self._micro:
            raise ValueError(
                f"a step of {count} samples can't be shared by {self._ranks} ranks in micro-batches of {self._micro}"
            )
        start = first + self._rank * share
        return [self._samples.batch(range(at, at + self._micro)) for at in range(start, start + share, self._micro)]
