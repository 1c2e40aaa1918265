"""What is left of a removed record in the exchange of the joining steps: its item, and all that is told under it.

An item is a hash of the record's text. Files below `state/` name items and not the rows that they are of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange
from lauter.pipeline.components import EDGES, ENDS, LABELS
from lauter.pipeline.steps import connect
from lauter.pipeline.steps.layouts import (
    CANDIDATES,
    CLUSTERS,
    COMPONENT_EDGES,
    EVIDENCE,
    FOUND,
    HALF,
    ITEMS,
    KEYS,
    MEETINGS,
    MEMBERS,
    NEIGHBOURS,
    PAIRS,
    TOUCHES,
    WANTED,
)
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.takedown.find import Indexes, PartHits
from lauter.pipeline.takedown.splice import rewrite_messages

Wanted = Indexes | NDArray[np.uint64]

_ENDS = ("left", "right")

_FOLDERS: dict[str, tuple[str, pa.Schema, tuple[str, ...]]] = {
    "pairs": ("meet", PAIRS, _ENDS),
    "half": ("left", HALF, _ENDS),
    "wanted": ("judge", WANTED, _ENDS),
    "evidence": ("evidence", EVIDENCE, _ENDS),
    "halves": ("number-left", connect.HALF, ("right",)),
    "roots": ("roots", connect.ROOTS, ("item",)),
    "labels": ("labels", LABELS, ("item", "cluster")),
    "members": ("members", MEMBERS, ("component", "item")),
    "component-edges": ("route", COMPONENT_EDGES, ("component", *_ENDS)),
    "neighbours": ("turn", NEIGHBOURS, ("item", "neighbour")),
    "clusters": ("sizes", CLUSTERS, ("component",)),
    "candidates": ("decide", CANDIDATES, ("component", "item")),
    "again-pairs": ("propose", PAIRS, _ENDS),
    "again-half": ("again-left", HALF, _ENDS),
    "again-wanted": ("again-judge", WANTED, _ENDS),
    "again-evidence": ("again-evidence", EVIDENCE, _ENDS),
    "again-component-edges": ("again-route", COMPONENT_EDGES, ("component", *_ENDS)),
    "meetings": ("mirror-meet", MEETINGS, ("item", "record")),
    "touches": ("mirror-left", TOUCHES, ("item", "of")),
    "found": ("mirror-judge", FOUND, ("component", "of")),
}
"""Folder of `state/` -> the step that writes it, the layout of its files, and the columns that are items."""

_OTHER_STEPS = {"members": "gather", "component-edges": "gather", "candidates": "adopted"}
"""Folders that another step writes too: where no component is built (`joining.neighbours`), and of older corpora."""

_BY_STEP = {"edges": (EDGES, _ENDS), "ends": (ENDS, ("item",))}
"""Folders with a folder for each step that writes there."""


@dataclass(frozen=True, slots=True)
class ItemFile:
    """An exchange file with columns of items."""

    path: str
    layout: pa.Schema
    columns: tuple[str, ...]

    def holding(self, storage: Storage, items: Wanted) -> set[int]:
        """The messages that have one of the items."""
        return {
            number
            for number, batch in enumerate(exchange.messages(storage, self.path, self.layout))
            if any(np.isin(batch.column(name).to_numpy(), items).any() for name in self.columns)
        }

    def write(self, storage: Storage, staged: Path, items: Wanted, wanted: set[int]) -> Output:
        """Drop the rows with one of the items, in the messages `wanted`."""

        def rewrite(table: pa.Table) -> pa.Table:
            gone = np.zeros(table.num_rows, np.bool_)
            for name in self.columns:
                gone |= np.isin(table.column(name).to_numpy(), items)
            return table.filter(pa.array(~gone))

        count = rewrite_messages(storage, self.path, staged, self.layout, rewrite, wanted)
        return exchange.describe(staged, self.path, count)


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The keys of a part, which go with the last of the part's rows that has their item."""

    path: str
    items: str
    """The part's file of `ITEMS`."""

    def _stays(self, storage: Storage, rows: Wanted) -> NDArray[np.uint64]:
        held = [np.empty(0, np.uint64)]
        for batch in exchange.messages(storage, self.items, ITEMS):
            held.append(batch.column("item").to_numpy()[~np.isin(batch.column("row").to_numpy(), rows)])
        return np.unique(np.concatenate(held))

    def holding(self, storage: Storage, rows: Wanted) -> set[int]:
        """The messages with a key of an item that no row has but some of `rows`."""
        stays = self._stays(storage, rows)
        return {
            number
            for number, batch in enumerate(exchange.messages(storage, self.path, KEYS))
            if not np.isin(batch.column("item").to_numpy(), stays).all()
        }

    def write(self, storage: Storage, staged: Path, rows: Wanted, wanted: set[int]) -> Output:
        """Drop these keys, in the messages `wanted`."""
        stays = self._stays(storage, rows)

        def rewrite(table: pa.Table) -> pa.Table:
            return table.filter(pa.array(np.isin(table.column("item").to_numpy(), stays)))

        count = rewrite_messages(storage, self.path, staged, KEYS, rewrite, wanted)
        return exchange.describe(staged, self.path, count)


@dataclass(frozen=True, slots=True)
class RawItemFile:
    """A file of nothing but items, little-endian uint64 (`components`)."""

    path: str

    def _items(self, storage: Storage) -> NDArray[np.uint64]:
        return np.frombuffer(storage.read(self.path), "<u8").astype(np.uint64)

    def holding(self, storage: Storage, items: Wanted) -> set[int]:
        """{0} where it has one of the items."""
        return {0} if np.isin(self._items(storage), items).any() else set()

    def write(self, storage: Storage, staged: Path, items: Wanted, wanted: set[int]) -> Output:
        """Drop the items."""
        own = self._items(storage)
        left = own[~np.isin(own, items)]
        left.astype("<u8").tofile(staged)
        return exchange.describe(staged, self.path, len(left))


def items_of(storage: Storage, parts: Sequence[PartHits]) -> NDArray[np.uint64]:
    """The items of the rows that are to be removed, as documents or as signed records, sorted."""
    found = [np.empty(0, np.uint64)]
    for part in parts:
        for folder in ("signatures/items", "state/mirror-items"):
            path = f"{folder}/{part.part}.arrow"
            for batch in exchange.messages(storage, path, ITEMS) if storage.size(path) is not None else ():
                found.append(batch.column("item").to_numpy()[np.isin(batch.column("row").to_numpy(), part.rows)])
    return np.unique(np.concatenate(found))


def item_files(storage: Storage) -> dict[str, tuple[ItemFile | RawItemFile, ...]]:
    """Path of a done record -> the files with items that its task has left."""
    found: dict[str, list[ItemFile | RawItemFile]] = {}
    for folder, (step, layout, columns) in _FOLDERS.items():
        for path, name in _files(storage, f"state/{folder}", ".arrow"):
            steps = [step, *([_OTHER_STEPS[folder]] if folder in _OTHER_STEPS else [])]
            record = _made_by(storage, path, [f"state/{one}/{name}.json" for one in steps])
            found.setdefault(record, []).append(ItemFile(path, layout, columns))
    for folder, (layout, columns) in _BY_STEP.items():
        for path, name in _files(storage, f"state/{folder}", ".arrow"):
            found.setdefault(f"state/{name}.json", []).append(ItemFile(path, layout, columns))
    for path, name in _files(storage, "state/nodes", ".bin"):
        found.setdefault(f"state/nodes/{name}.json", []).append(RawItemFile(path))
    return {record: tuple(files) for record, files in found.items()}


def _made_by(storage: Storage, path: str, records: Sequence[str]) -> str:
    """Which of some done records is that of a file.

    Where there are several, as after another `method` in a build that is not finished, it is the one that names the
    file with the digest that it has; the file is read for that.
    """
    there = [record for record in records if storage.size(record) is not None]
    if len(there) < 2:
        return there[0] if there else records[-1]
    with storage.open(path) as source:
        digest = hashlib.file_digest(cast(BufferedReader, source), "sha256").hexdigest()
    naming = [record for record in there if digest in _digests(storage, record, path)]
    return naming[0] if naming else there[0]


def _digests(storage: Storage, record: str, path: str) -> set[str]:
    """The digests under which a done record knows a file: as it was made, and as a takedown has left it."""
    known = storage.read_json(record)
    outputs = [*known["outputs"], *known.get("masked", {}).get("outputs", ())]
    return {output["sha256"] for output in outputs if output["path"] == path}


def _files(storage: Storage, folder: str, suffix: str) -> list[tuple[str, str]]:
    """(path, name without folder and suffix); done records may lie in the same folder."""
    paths = sorted(path for path in storage.list(folder) if path.endswith(suffix))
    return [(path, path.removeprefix(f"{folder}/").removesuffix(suffix)) for path in paths]
