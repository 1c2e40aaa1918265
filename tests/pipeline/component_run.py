"""Runs the steps of connected components over a folder, without the rest of a build."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline import exchange
from lauter.pipeline.components import LABELS, write_edges
from lauter.pipeline.graph.connecting import connecting_nodes, labels_of
from lauter.pipeline.graph.links import Links
from lauter.pipeline.graph.listings import Listings
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import execute


class Ranges:
    """What `connecting` asks of a plan, over a run folder."""

    def __init__(self, storage: Storage, partitions: int) -> None:
        self.storage, self.partitions = storage, partitions
        self._listings = Listings(storage)

    def range_names(self) -> list[str]:
        """One for each range."""
        return [f"{partition:05d}" for partition in range(self.partitions)]

    def task(self, name: str, function: str, args: dict[str, Any]) -> Task:
        """A task over the folder."""
        return Task(name, f"lauter.pipeline.steps.{function}", self.storage.root, args)

    def listing(self, name: str, outputs: Callable[[], Sequence[Output]]) -> str:
        """Publish a list."""
        return self._listings.publish(name, outputs)


def found_edges(storage: Storage, files: Iterable[NDArray[np.uint64]], partitions: int) -> dict[str, Result]:
    """The results of tasks that found edges, one for each array of shape (m, 2)."""
    return {
        f"found/{number:05d}": Result(write_edges(storage, f"found/{number:05d}", [edges], partitions))
        for number, edges in enumerate(files)
    }


def labels(storage: Storage, files: Iterable[NDArray[np.uint64]], partitions: int) -> tuple[dict[int, int], Result]:
    """Item -> cluster as the steps find them, and what they say of it. Every item comes in its range, and once."""
    plan = Ranges(storage, partitions)
    results = found_edges(storage, files, partitions)
    nodes = connecting_nodes(plan, list(results))
    links = Links(nodes, results)
    ready = deque(links.ready)
    while ready:
        node = ready.popleft()
        results[node.name] = execute(node.build(results))
        ready.extend(links.done(node.name))
    assert not any(links.waits(node.name) for node in nodes)
    paths = [output.path for output in labels_of(plan, results)]
    found: dict[int, int] = {}
    for partition in range(partitions):
        table, _ = exchange.read_parts(storage, paths, partition, LABELS)
        item, cluster = table.column("item").to_numpy(), table.column("cluster").to_numpy()
        assert (exchange.partition_of(item, partitions) == partition).all()
        assert not found.keys() & set(item.tolist()) and len(set(item.tolist())) == len(item)
        found |= dict(zip(item.tolist(), cluster.tolist(), strict=True))
    return found, results["unite/all"]
