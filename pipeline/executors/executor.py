"""What the run loop asks of an executor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lauter.pipeline.task import Result, Task


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one task ended: with a result, or with the text of what went wrong."""

    task: Task
    result: Result | None
    error: str | None = None
    stops: bool = False
    """Whether no other task need be tried (`stopped.NothingOpens`)."""


class Executor(Protocol):
    """Runs tasks in any order; `submit` never blocks for long, `wait` gives at least one outcome."""

    window: int
    """How many tasks may be in flight."""

    def submit(self, task: Task) -> None:
        """Take a task."""

    def wait(self) -> list[Outcome]:
        """Block until at least one submitted task has ended; never called with none in flight."""
        ...

    def close(self) -> None:
        """Give back what the executor holds."""
