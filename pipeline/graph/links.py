"""What waits for what in a graph, and what is free when a task is done."""

from __future__ import annotations

from collections.abc import Container, Sequence

from lauter.pipeline.graph.node import Joint, Node


class Links:
    """Counts for each node and joint what it still waits for.

    Holds an entry of 8 bytes a link and some 200 bytes for each node and joint. Steps by part and steps by range that
    wait for one another have parts + ranges links each, since joints stand between them (`node.Joint`).
    """

    def __init__(self, nodes: Sequence[Node], done: Container[str]) -> None:
        """`done`: names of tasks that are done already, which nothing waits for."""
        self.count = 0
        """Links between what is not done."""
        self._waiting: dict[str | Joint, int] = {}
        self._followers: dict[str | Joint, list[Node | Joint]] = {}
        for node in nodes:
            self._waiting[node.name] = self._add(node, done)
        self.ready = [node for node in nodes if not self._waiting[node.name]]
        """The nodes that wait for nothing, in order."""

    def _add(self, what: Node | Joint, done: Container[str]) -> int:
        waits = 0
        for before in what.after:
            if isinstance(before, Joint):
                if before not in self._waiting:
                    self._waiting[before] = self._add(before, done)
                if not self._waiting[before]:
                    continue
            elif before in done:
                continue
            self._followers.setdefault(before, []).append(what)
            waits += 1
        self.count += waits
        return waits

    def done(self, name: str) -> list[Node]:
        """Note that a task is done; returns the nodes that waited for it last, in order."""
        free: list[Node] = []
        passed: list[str | Joint] = [name]
        while passed:
            for follower in self._followers.pop(passed.pop(), ()):
                key = follower if isinstance(follower, Joint) else follower.name
                self._waiting[key] -= 1
                if self._waiting[key]:
                    continue
                if isinstance(follower, Joint):
                    passed.append(follower)
                else:
                    free.append(follower)
        return free

    def waits(self, name: str) -> bool:
        """Whether a node waits for something that is not done."""
        return self._waiting[name] > 0
