"""Runs every task in the driver's own process, one after another: the simplest thing that is right."""

from __future__ import annotations

import traceback
from collections import deque

from lauter.pipeline.executors.executor import Outcome
from lauter.pipeline.stopped import NothingOpens, told
from lauter.pipeline.task import Task
from lauter.pipeline.worker import execute


class InlineExecutor:
    """No processes, no Ray."""

    window = 1

    def __init__(self) -> None:
        self._queue: deque[Task] = deque()

    def submit(self, task: Task) -> None:
        """Queue a task."""
        self._queue.append(task)

    def wait(self) -> list[Outcome]:
        """Run the oldest one."""
        task = self._queue.popleft()
        try:
            return [Outcome(task, execute(task))]
        except Exception as error:
            said = told(error, "".join(traceback.format_exception(error)))
            return [Outcome(task, None, said, isinstance(error, NothingOpens))]

    def close(self) -> None:
        """Nothing to give back."""
