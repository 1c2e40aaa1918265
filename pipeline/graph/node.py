"""A node of the plan's graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lauter.pipeline.task import Result, Task

Results = Mapping[str, Result]


@dataclass(frozen=True, slots=True)
class Node:
    """A task to be: its name, the names it waits for, and how to build it from their results."""

    name: str
    after: tuple[str, ...]
    build: Callable[[Results], Task]
