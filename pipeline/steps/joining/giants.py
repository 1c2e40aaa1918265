"""Stops a build whose copies hang together in one giant component, before its documents come together in memory.

A component is held whole by the tasks that choose among its documents. Its size is known from counts alone.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline import exchange
from lauter.pipeline.steps.joining.pages import url_of
from lauter.pipeline.steps.layouts import MEMBERS
from lauter.pipeline.stopped import BuildStopped
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.task import Task
from lauter.pipeline.worker import listing

MERGED = 1 << 16
"""Counts that are put together at least at a time."""


def stop_at_giants(task: Task, storage: Storage) -> None:
    """Raise `BuildStopped` where a component of the range has more documents than `Limits` allows.

    Reads `MEMBERS` a message at a time, and holds 16 bytes for each component of the range, three times while counts
    are put together.
    """
    args = task.args
    members = listing(storage, args["members"])
    component, documents = documents_of_components(
        batch.column("component").to_numpy()
        for output in members
        for batch in exchange.read(storage, output.path, args["partition"], MEMBERS)
    )
    if not len(documents):
        return
    giant = int(np.argmax(documents))
    size, signed = int(documents[giant]), args["signed"]
    too_many, too_large = size > args["largest_documents"], size > args["largest_cluster"] * signed
    if not too_many and not too_large:
        return
    allowed = [
        *([f"largest_cluster: {args['largest_cluster']:.2%} of them"] if too_large else []),
        *([f"largest_cluster_documents: {args['largest_documents']:,}"] if too_many else []),
    ]
    raise BuildStopped(
        f"stage {args['stage']['name']}: one connected group of copies holds {size:,} of the {signed:,} documents that "
        f"are compared ({size / signed:.2%}), and the manifest allows {' and '.join(allowed)}. One of them is "
        f"{_first(task, storage, members, component[giant])}. Look at it: most often it is a page without a text of "
        "its own, such as an error or a notice. Drop such pages by a stage before this one, or raise the limit (a task "
        "takes about 350 bytes of memory for each document of a group), and build again"
    )


def documents_of_components(batches: Iterable[NDArray[np.uint64]]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """(component, how many rows name it) of some columns, by component."""
    held = (np.empty(0, np.uint64), np.empty(0, np.int64))
    waiting: list[tuple[NDArray[np.uint64], NDArray[np.int64]]] = []
    rows = 0
    for batch in batches:
        component, documents = np.unique(batch, return_counts=True)
        waiting.append((component, documents))
        rows += len(component)
        # As many as there are already: so a component is sorted a few times, and not once a message.
        if rows >= max(MERGED, len(held[0])):
            held, waiting, rows = _merged([held, *waiting]), [], 0
    return _merged([held, *waiting])


def _merged(counts: list[tuple[NDArray[np.uint64], NDArray[np.int64]]]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    component, place = np.unique(np.concatenate([of for of, _ in counts]), return_inverse=True)
    documents = np.zeros(len(component), np.int64)
    np.add.at(documents, place, np.concatenate([documents for _, documents in counts]))
    return component, documents


def _first(task: Task, storage: Storage, members: list[Output], component: np.uint64) -> str:
    """The URL of the first document of a component in the run; else where it is."""
    args = task.args
    node = min(
        int(exchange.node(batch.column("part").to_numpy()[own], batch.column("row").to_numpy()[own]).min())
        for output in members
        for batch in exchange.read(storage, output.path, args["partition"], MEMBERS)
        if (own := batch.column("component").to_numpy() == component).any()
    )
    part, row = node >> exchange.NODE_ROW_BITS, node & 0xFFFFFFFF
    documents = listing(storage, args["documents"])
    if part >= len(documents):
        return "a document of an older corpus"
    path = documents[part].path
    return url_of(storage, path, row) or f"row {row:,} of {path}"
