"""The ready-queue loop.

Builds each task when what it waits for is done, skips what an earlier run finished, goes on past failures, and
finishes the corpus when nothing failed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from lauter.pipeline.corpus import finish_unless_finished
from lauter.pipeline.executors.executor import Executor
from lauter.pipeline.graph.links import Links
from lauter.pipeline.graph.node import Node
from lauter.pipeline.graph.plan import Plan
from lauter.pipeline.made_again import MadeAgain
from lauter.pipeline.proof.chain import remember
from lauter.pipeline.proof.graph import proving
from lauter.pipeline.report.graph import counting
from lauter.pipeline.steps.isolate import too_many_failed
from lauter.pipeline.storage import Storage, StorageError
from lauter.pipeline.takedown.build import mask_results
from lauter.pipeline.task import Result, Task, finished

ERROR_CHARACTERS = 4000
"""An exception may quote whole files; a terminal should not."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A task that could not be done."""

    name: str
    error: str


@dataclass
class Observer:
    """What a progress display hears. The default hears nothing."""

    def planned(self, nodes: Sequence[Node]) -> None:
        """More of the graph is known."""

    def started(self, task: Task) -> None:
        """A task was handed to the executor."""

    def ended(self, name: str, result: Result | None, *, cached: bool) -> None:
        """A task is done (perhaps by an earlier run), or failed (`result` None)."""


@dataclass
class RunReport:
    """What a run did."""

    executed: int = 0
    cached: int = 0
    failures: list[Failure] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """Tasks that wait for one that failed."""
    reused: int = 0
    """Records whose later stages were left out, since an earlier run of their task had the answer."""
    recomputed: int = 0
    """Records of the same tasks that had to pass the later stages."""


class LazyExecutor:
    """Makes the executor when the first task needs it: a run with nothing to do starts nothing."""

    def __init__(self, make: Callable[[], Executor]) -> None:
        self._make = make
        self._executor: Executor | None = None

    def get(self) -> Executor:
        """The executor, made now if need be."""
        if self._executor is None:
            self._executor = self._make()
        return self._executor

    def close(self) -> None:
        """Close it if it was made."""
        if self._executor is not None:
            self._executor.close()


def build(plan: Plan, executor: LazyExecutor, observer: Observer) -> RunReport:
    """Build or resume a corpus. Returns what was done; failures are in the report, not raised."""
    report = RunReport()
    results: dict[str, Result] = {}
    known: dict[str, Node] = {}
    plan.storage.claim()
    remember(plan.storage)
    try:
        for graph in (lambda _: plan.first_half(), plan.packing, plan.ledgers, partial(published, plan)):
            try:
                nodes = graph(results)
            except StorageError as error:
                report.failures.append(Failure("shards", str(error)))
                return report
            run_nodes(plan.storage, nodes, results, executor, observer, report, known)
            report.failures += failing_stages(plan, results)
            if report.failures:
                return report
            if graph == plan.ledgers:
                # The last act upon rows: what comes now are hashes and counts of the ledger as it is published.
                mask_results(plan, results)
        finish_unless_finished(plan, results)
    finally:
        executor.close()
    return report


def published(plan: Plan, results: Mapping[str, Result]) -> list[Node]:
    """The last graph: the tree of the ledger, and the numbers of the report."""
    return [*proving(plan, results), *counting(plan, results)]


def failing_stages(plan: Plan, results: Mapping[str, Result]) -> list[Failure]:
    """A stage that raised all over the corpus, a few rows a file: no task saw it, the sum does."""
    names = [f"{step}/{part.name}" for step in ("documents", "annotate") for part in plan.parts]
    done = [results[name].info for name in names if name in results]
    failed, records = sum(info["failed"] for info in done), sum(info["records"] for info in done)
    if not too_many_failed(failed, records):
        return []
    named = sorted({info["failure"] for info in done if info["failure"]})
    return [Failure("documents", f"{'; '.join(named)}: {failed} of {records} records; mend the stage and build again")]


def run_nodes(
    storage: Storage,
    nodes: Sequence[Node],
    results: dict[str, Result],
    lazy: LazyExecutor,
    observer: Observer,
    report: RunReport,
    known: dict[str, Node],
) -> None:
    """Run a graph to its end; `results` gains every task that is done.

    `known` are the nodes of earlier graphs, and gains those of this one. A task that would read a file from which a
    takedown has removed records waits until the task that made the file has made it again, so that it decides what it
    would decide without the takedown; the mask comes last.
    """
    observer.planned(nodes)
    known.update({node.name: node for node in nodes})
    links = Links(nodes, results)
    ready = deque(links.ready)
    again = MadeAgain(storage, results)
    flying = 0
    stopped = False

    def done(name: str, result: Result, *, cached: bool) -> None:
        first = name not in results
        results[name] = result
        observer.ended(name, result, cached=cached)
        ready.extend(known[other] for other in again.made(name, result))
        if first:
            ready.extend(links.done(name))
        if stopped:
            report.skipped += [node.name for node in ready]
            ready.clear()

    while ready or flying:
        while ready and (not flying or flying < lazy.get().window):
            node = ready.popleft()
            task = node.build(results)
            before = None if node.name in again.forced else finished(storage, task)
            if before is not None:
                report.cached += 1
                done(node.name, before, cached=True)
                continue
            lacking = again.lacking(task)
            if lacking is not None:
                observer.planned([known[name] for name in lacking])
                report.cached -= len(lacking)
                ready.extend(known[name] for name in lacking)
                continue
            if not report.executed:
                # From here on the folder is no finished corpus until `finish` says so again.
                storage.delete("corpus.json")
            report.executed += 1
            observer.started(task)
            lazy.get().submit(task)
            flying += 1
        if flying:
            for outcome in lazy.get().wait():
                flying -= 1
                if outcome.result is not None:
                    report.reused += outcome.result.info.get("reused", 0)
                    report.recomputed += outcome.result.info.get("recomputed", 0)
                    done(outcome.task.name, outcome.result, cached=False)
                    continue
                failure = Failure(outcome.task.name, (outcome.error or "unknown error")[:ERROR_CHARACTERS])
                if outcome.stops:
                    # Others in flight end alike; what is ready is not begun.
                    stopped = True
                    report.skipped += [node.name for node in ready]
                    ready.clear()
                if not outcome.stops or all(failure.error != other.error for other in report.failures):
                    report.failures.append(failure)
                observer.ended(outcome.task.name, None, cached=False)
    unmade = [node.name for node in nodes if node.name not in results and links.waits(node.name)]
    report.skipped += [*unmade, *again.waiting()]
