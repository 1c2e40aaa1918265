"""The mask: blanks the rows that the demands hit in every file of a run folder that holds something of them.

It needs no plan: what holds a part's rows is known by its name. A task's done record keeps the digests that it had, so
that nothing downstream is stale, and gains what lies in the run folder now (`Result.masked`). The record is written
before the files are published; `PENDING` stands from before the first record until after the last file, and where it is
found, nothing that a record says of masking is believed. So a mask that was killed is done again by the next one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lauter.pipeline import exchange, parquet
from lauter.pipeline.graph.annotating import FUSED
from lauter.pipeline.steps.layouts import CANDIDATES, ENCODED, ITEMS, PASSAGES
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.takedown import blank
from lauter.pipeline.takedown.demands import Demand
from lauter.pipeline.takedown.find import Found, Indexes, PartHits
from lauter.pipeline.takedown.items import ItemFile, KeyFile, RawItemFile, Wanted, item_files, items_of
from lauter.pipeline.takedown.splice import rewrite_messages, rewrite_row_groups

PENDING = "state/takedown.json"
SIDECAR = "tokens/tokenizer/sidecar.json"

Table = Callable[[pa.Table, blank.Mask, Indexes], pa.Table]
"""(rows, which of them to blank, their numbers) -> the rows to stand there."""


@dataclass(frozen=True, slots=True)
class _Parquet:
    """A Parquet file whose rows say which record they are about (`row`), or are numbered by their place."""

    path: str
    blanked: Table
    by_place: bool = False

    def holding(self, storage: Storage, rows: Wanted) -> set[int]:
        """The row groups that have one of the rows."""
        with storage.open(self.path) as source:
            file = pq.ParquetFile(source)
            sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
            if self.by_place:
                group = np.searchsorted(np.cumsum(sizes), rows, "right")
                return set(group[group < len(sizes)].tolist())
            return {
                group
                for group in range(len(sizes))
                if np.isin(file.read_row_group(group, columns=["row"]).column("row").to_numpy(), rows).any()
            }

    def write(self, storage: Storage, staged: Path, rows: Wanted, wanted: set[int]) -> Output:
        """Blank the rows in the row groups `wanted`."""

        def rewrite(first: int, table: pa.Table) -> pa.Table:
            own = first + np.arange(table.num_rows) if self.by_place else table.column("row").to_numpy()
            number = own.astype(np.int64)
            return self.blanked(table, np.isin(number, rows), number)

        rewrite_row_groups(storage, self.path, staged, rewrite, wanted)
        return parquet.describe(staged, self.path)


@dataclass(frozen=True, slots=True)
class _Exchange:
    """An exchange file whose rows say which record they are about."""

    path: str
    layout: pa.Schema
    blanked: Table

    def holding(self, storage: Storage, rows: Wanted) -> set[int]:
        """The messages that have one of the rows."""
        return {
            number
            for number, batch in enumerate(exchange.messages(storage, self.path, self.layout))
            if np.isin(batch.column("row").to_numpy(), rows).any()
        }

    def write(self, storage: Storage, staged: Path, rows: Wanted, wanted: set[int]) -> Output:
        """Blank the rows in the messages `wanted`."""

        def rewrite(table: pa.Table) -> pa.Table:
            number = table.column("row").to_numpy().astype(np.int64)
            return self.blanked(table, np.isin(number, rows), number)

        count = rewrite_messages(storage, self.path, staged, self.layout, rewrite, wanted)
        return exchange.describe(staged, self.path, count)


@dataclass(frozen=True, slots=True)
class _Job:
    """The files of one task that hold rows to blank."""

    record: str
    """Path of its done record."""
    files: tuple[_Parquet | _Exchange | ItemFile | KeyFile | RawItemFile, ...]
    rows: Wanted
    """Numbers of rows, or items: what the files are looked through for."""
    digest: str
    """What the masked files depend on besides the files."""


def apply(storage: Storage, found: Found, demands: Sequence[Demand], *, believed: bool) -> dict[str, Output]:
    """Blank all that was found; path -> what lies there now of every file that holds blanked rows.

    `believed`: whether no mask was cut off, so that records say what is done. Raises `StorageError` where a file cannot
    be read or published.
    """
    kinds = [item.kind for item in demands]
    pad = pad_id(storage)
    # Items first: which those are is read from the parts' own signatures, which lose them last.
    jobs = _item_jobs(storage, items_of(storage, found.parts))
    for part in found.parts:
        annotated = storage.size(f"state/annotate/{part.part}.json") is not None
        jobs += _part_jobs(part, kinds, pad, annotated=annotated)
    jobs += [_shard_job(place, rows, pad) for place, rows in found.shards().items()]
    masked: dict[str, Output] = {}
    if jobs and storage.size(PENDING) is None:
        storage.write_json(PENDING, {})
    for job in jobs:
        masked.update(_do(storage, job, believed=believed))
    return masked


def settled(storage: Storage) -> None:
    """Say that no mask is under way any more."""
    storage.delete(PENDING)


def pad_id(storage: Storage) -> int | None:
    """What the tokenizer's sidecar names as padding, else as the end of a document; None without a sidecar."""
    if storage.size(SIDECAR) is None:
        return None
    sidecar = storage.read_json(SIDECAR)
    control: Mapping[str, Any] = sidecar.get("pad") or sidecar["eos"]
    return int(control["id"])


def _part_jobs(part: PartHits, kinds: Sequence[str], pad: int | None, *, annotated: bool) -> list[_Job]:
    # `annotated`: whether a step of its own has added to the scores, so that `documents` has left its own elsewhere.
    name, rows = part.part, part.rows
    reasons = np.array([kinds[index] for index in part.demand.tolist()], object)

    def ledger(table: pa.Table, mask: blank.Mask, number: Indexes) -> pa.Table:
        return blank.ledger_rows(table, mask, reasons[np.searchsorted(rows, number[mask])].tolist())

    def dropped(table: pa.Table, mask: blank.Mask, number: Indexes) -> pa.Table:
        return table.filter(pa.array(~mask))

    def decisions(table: pa.Table, mask: blank.Mask, number: Indexes) -> pa.Table:
        return blank.without_text(table, mask, *blank.DECISION_COLUMNS)

    files: dict[str, tuple[_Parquet | _Exchange | KeyFile, ...]] = {
        "documents": (
            _Parquet(f"state/records/{name}.parquet", _alone(blank.record_rows), by_place=True),
            _Parquet(f"documents/{name}.parquet", _alone(blank.without_text)),
            _Parquet(f"{FUSED if annotated else 'scores'}/{name}.parquet", _alone(blank.without_text)),
            _Parquet(f"signals/{name}.parquet", dropped),
        ),
        "annotate": (_Parquet(f"scores/{name}.parquet", _alone(blank.without_text)),) if annotated else (),
        "sign": _signatures("signatures/keys", "signatures/items", name, dropped),
        "mirrors": _signatures("state/mirror-keys", "state/mirror-items", name, dropped),
        "passages": (_Exchange(f"state/passages/{name}.arrow", PASSAGES, dropped),),
        "cut": (_Parquet(f"cuts/{name}.parquet", dropped),),
        "decide": (
            _Parquet(f"decisions/{name}.parquet", decisions),
            _Exchange(f"state/candidates/{name}.arrow", CANDIDATES, dropped),
        ),
        "encode": (_Exchange(f"state/encoded/{name}.arrow", ENCODED, _alone(partial(blank.pads, pad=pad))),),
        "ledger": (_Parquet(f"ledger/{name}.parquet", ledger, by_place=True),),
    }
    digest = part.digest(kinds)
    return [_Job(f"state/{step}/{name}.json", some, rows, digest) for step, some in files.items()]


def _signatures(keys: str, items: str, name: str, dropped: Table) -> tuple[KeyFile, _Exchange]:
    """Keys have no row: those go whose item no other row of the part has."""
    held = f"{items}/{name}.arrow"
    return KeyFile(f"{keys}/{name}.arrow", held), _Exchange(held, ITEMS, dropped)


def _item_jobs(storage: Storage, items: NDArray[np.uint64]) -> list[_Job]:
    """What steps have left about items, wherever it came from: what is dropped too much is made again where need be."""
    if not len(items):
        return []
    digest = hashlib.sha256(items.astype("<u8").tobytes()).hexdigest()
    return [_Job(record, files, items, digest) for record, files in item_files(storage).items()]


def _shard_job(place: tuple[str, int], rows: Indexes, pad: int | None) -> _Job:
    stream, shard = place
    blanked = _alone(partial(blank.shard_rows, pad=pad))
    file = _Parquet(f"tokens/{stream}/{shard:05d}.parquet", blanked, by_place=True)
    digest = hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()
    return _Job(f"state/pack/{stream}/{shard:05d}.json", (file,), rows, digest)


def _alone(blanked: Callable[[pa.Table, blank.Mask], pa.Table]) -> Table:
    """For what need not know the rows' numbers."""
    return lambda table, mask, _: blanked(table, mask)


def _do(storage: Storage, job: _Job, *, believed: bool) -> dict[str, Output]:
    """Blank one task's files; path -> what lies there now. Nothing is written where the record says that it is done."""
    record = _record(storage, job.record)
    before = record.get("masked", {}) if record is not None else {}
    known = {item["path"]: Output.from_json(item) for item in before.get("outputs", ())}
    if believed and before.get("rows") == job.digest and all(storage.size(p) == o.size for p, o in known.items()):
        return known
    # What an earlier mask has dropped is not found again, and what lies there is still not what the task made.
    masked = {path: output for path, output in known.items() if storage.size(path) == output.size}
    rewritten = False
    with ExitStack() as publishing:
        for file in job.files:
            # Not every manifest makes every file, and a published corpus may have come without its state.
            wanted = file.holding(storage, job.rows) if storage.size(file.path) is not None else set()
            if wanted:
                staged = publishing.enter_context(storage.staging(file.path))
                masked[file.path] = file.write(storage, staged, job.rows, wanted)
                rewritten = True
        if record is not None and rewritten:
            outputs = [masked[path].to_json() for path in sorted(masked)]
            storage.write_json(job.record, {**record, "masked": {"rows": job.digest, "outputs": outputs}})
    return masked


def _record(storage: Storage, path: str) -> dict[str, Any] | None:
    """A done record, None where there is none."""
    if storage.size(path) is None:
        return None
    record = storage.read_json(path)
    return record if isinstance(record, dict) else None
