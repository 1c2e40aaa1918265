"""A node of the plan's graph, and the joints that keep its links few."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lauter.pipeline.task import Result, Task

Results = Mapping[str, Result]


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """Where tasks meet: whoever waits for it waits for all that it names. It is no task itself, and has no name.

    4,096 ranges that each wait for 47,000 parts by name are 193 million links, in every step that does so; behind a
    joint they are 51,096.
    """

    after: tuple[str | Joint, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A task to be: its name, the names and joints it waits for, and how to build it from the results of all."""

    name: str
    after: tuple[str | Joint, ...]
    build: Callable[[Results], Task]


def behind(*after: Iterable[str | Joint]) -> tuple[Joint]:
    """One joint behind all of these, for nodes that share what they wait for."""
    return (Joint(tuple(item for some in after for item in some)),)
