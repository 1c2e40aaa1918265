"""Checks in worker processes: what is independent of each other runs beside each other, and is told in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from types import TracebackType
from typing import TypeVar

from lauter.pipeline.audit.findings import AuditReport
from lauter.pipeline.storage import StorageError

T = TypeVar("T")

ROWS_A_WORKER = 50_000
"""Ledger rows for which a process of its own pays: it starts in a second, and checks so many in one or two."""

AHEAD = 4
"""Jobs a worker that are handed out ahead: enough that none waits, few enough that results do not pile up."""

Check = Callable[[AuditReport], None]
"""A check that adds what it finds to a report."""


class Workers:
    """Runs jobs, which must be picklable, in some processes; with one worker in this one."""

    def __init__(self, count: int) -> None:
        self.count = count
        # Not forked: Arrow has threads, and a lock that one of them holds would be held in the child for ever.
        self._pool = ProcessPoolExecutor(count, mp_context=get_context("spawn")) if count > 1 else None

    def run(self, jobs: Iterable[Callable[[], T]]) -> Iterator[T]:
        """The results in the order of the jobs. Raises what a job raises, `StorageError` where a process is killed."""
        if self._pool is None:
            for job in jobs:
                yield job()
            return
        flying: deque[Future[T]] = deque()
        try:
            for job in jobs:
                flying.append(self._pool.submit(job))
                if len(flying) >= AHEAD * self.count:
                    yield flying.popleft().result()
            while flying:
                yield flying.popleft().result()
        except BrokenProcessPool as error:
            raise StorageError(
                "a worker process of the audit was killed, perhaps for want of memory; try again with --workers 1"
            ) from error

    def check(self, checks: Iterable[Check], report: AuditReport) -> None:
        """Add what the checks find, in their order."""
        for found in self.run(_Apart(check) for check in checks):
            report.add(found)

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


class _Apart:
    """A check with a report of its own."""

    def __init__(self, check: Check) -> None:
        self._check = check

    def __call__(self) -> AuditReport:
        report = AuditReport()
        self._check(report)
        return report


def workers_for(rows: int, most: int | None) -> int:
    """How many processes a ledger of so many rows is worth: at most `most`, which is the cores where it is None."""
    return max(1, min(most or os.cpu_count() or 1, rows // ROWS_A_WORKER))
