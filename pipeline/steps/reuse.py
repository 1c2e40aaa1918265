"""What a `documents` task takes from its earlier run where only some of its stages have changed.

A newer opt-out snapshot changes what one stage was prepared with. That stage, and those before it, run again on every
record; a record that passes them now and passed them then ends in the later stages as it did then, so its ends, its
text and its scores are copied from the earlier outputs. Extraction, which costs most, runs for records alone that were
not allowed before. The outputs are the same bytes as those of a run from scratch.

That is right only where the later stages see what they saw: none may read a column that a changed stage, or a stage
that reads from one, has written. And only from outputs whose every byte is as recorded: after a kill some of them may
be newer than others, a takedown has blanked what its rows said, and what somebody has touched must not be made good by
copying it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash
from numpy.typing import NDArray

from lauter.pipeline import exchange, parquet
from lauter.pipeline.contract import MapStage
from lauter.pipeline.specs import reads_of, writes_of
from lauter.pipeline.steps import isolate
from lauter.pipeline.steps.flow import Flow, Tally
from lauter.pipeline.steps.layouts import CARRIED, RECORDS
from lauter.pipeline.storage import Output, Storage, StorageError
from lauter.pipeline.tamper import problem_of
from lauter.pipeline.task import FORMAT, REUSABLE, Result, Task, set_aside

Beat = Callable[[Tally], None]


def made_with(task: Task) -> dict[str, Any]:
    """What a `documents` task is made with, stage by stage, as hashes; its done record keeps it under `REUSABLE`."""
    args = task.args
    rest = {name: value for name, value in args.items() if name not in ("stages", "prepared")}
    stages = [[spec["name"], _hash([spec, args["prepared"].get(spec["name"])])] for spec in args["stages"]]
    return {"rest": _hash([FORMAT, task.run, rest]), "stages": stages}


def _hash(content: object) -> str:
    return xxhash.xxh3_128_hexdigest(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())


def earlier_run(task: Task, storage: Storage, stages: Sequence[MapStage]) -> Earlier | None:
    """The earlier run of a task, where later stages can be left out by it; None where everything must run."""
    record = set_aside(storage, task)
    if record is None:
        return None
    try:
        before = record["info"][REUSABLE]
        made = Result(tuple(Output.from_json(item) for item in record["outputs"]))
        outputs = [made.output(folder) for folder in ("state/records", "documents", task.args["scores"])]
        cut = _changed(before, made_with(task))
    except (KeyError, TypeError, ValueError):
        return None
    if cut is None or cut == len(stages) or not _independent(task, stages, cut, before["stages"]):
        return None
    if any(problem_of(storage, output) for output in outputs):
        return None
    return Earlier(storage, [output.path for output in outputs], stages, cut)


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> int | None:
    """How many of the first stages must run again: up to the last one that changed. None: not the same stages."""
    names = [[name for name, _ in made["stages"]] for made in (before, now)]
    if before["rest"] != now["rest"] or names[0] != names[1]:
        return None
    pairs = zip(before["stages"], now["stages"], strict=True)
    return max((number for number, (old, new) in enumerate(pairs, start=1) if old != new), default=0)


def _independent(task: Task, stages: Sequence[MapStage], cut: int, before: Sequence[Sequence[str]]) -> bool:
    """Whether no stage from `cut` on can tell that stages before it have changed."""
    specs, now = task.args["stages"], made_with(task)["stages"]
    touched: set[str] = set()
    for spec, old, new in zip(specs[:cut], before, now, strict=False):
        if list(old) != list(new) or touched & reads_of(spec):
            touched |= writes_of(spec)
    carried = {name for spec in specs[:cut] for name in writes_of(spec) & set(CARRIED)}
    return not any(
        # Signals do not say which stage found them; a column that both halves carry has two values for one record.
        getattr(stage, "signals", False) or touched & reads_of(spec) or carried & writes_of(spec)
        for spec, stage in zip(specs[cut:], stages[cut:], strict=True)
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """The earlier outputs about one reader batch of n records."""

    records: pa.Table
    """n rows."""
    documents: pa.Table
    """What later stages wrote, of those records that became documents."""
    place: NDArray[np.int64]
    """Shape (n,): row in `documents`, -1 for none."""
    stage: list[str | None]
    usable: NDArray[np.bool_]
    """Shape (n,): whether the record passed the stages that run again, then, and the later ones did not fail on it."""


class Earlier:
    """The outputs of an earlier run, read beside the file; stages from `cut` on run only for what they do not know."""

    def __init__(self, storage: Storage, paths: Sequence[str], stages: Sequence[MapStage], cut: int) -> None:
        """`paths` are those of the records, the documents and the scores."""
        self._first, self._later = stages[:cut], stages[cut:]
        self._names = {stage.name for stage in self._later}
        fields = {field.name: field for stage in stages for field in (*stage.documents, *stage.scores)}
        made = {field.name for stage in self._later for field in (*stage.documents, *stage.scores)}
        kept = {field.name for stage in self._later for field in stage.documents}
        self._made = {name: field for name, field in fields.items() if name in made}
        """Columns that later stages write: copied."""
        self._own = [name for name in fields if name not in made]
        ledger = {field.name for stage in self._later for field in getattr(stage, "ledger", ())}
        self._carried = [name for name in CARRIED if name in made | ledger]
        wanted = ["doc_id", "stage", "reason", "verdict", "rule", *self._carried]
        self._records = _Rows(storage, paths[0], wanted)
        self._documents = _Rows(storage, paths[1], ["row", *(name for name in self._made if name in kept)])
        self._scores = _Rows(storage, paths[2], ["row", *(name for name in self._made if name not in kept)])

    def through(self, flow: Flow, tally: Tally, beat: Beat) -> None:
        """Let a batch pass all stages, the later ones only where need be; `flow` ends as if all had run on all."""
        first = tally.records - flow.count
        known = self._known(first, flow.count)
        flow.through(self._first, tally, beat)
        then = exchange.one_chunk(known.records.column("doc_id")).take(pa.array(flow.alive))
        same = pc.equal(flow.batch.column("doc_id"), then).to_numpy(zero_copy_only=False)
        reused = known.usable[flow.alive] & np.asarray(same, np.bool_)
        places = flow.alive[reused]
        document = known.place[places] >= 0
        held = flow.batch.select(self._identity(flow)).filter(pa.array(reused)).filter(pa.array(document))
        flow.batch, flow.alive = flow.batch.filter(pa.array(~reused)), flow.alive[~reused]
        tally.reused += len(places)
        tally.recomputed += len(flow.alive)
        flow.through(self._later, tally, beat)
        self._note(flow, known, places, tally)
        if document.any():
            self._rejoin(flow, known, held, places[document])

    def _identity(self, flow: Flow) -> list[str]:
        """Columns of a document that no later stage writes."""
        own = ("doc_id", "row", "url", "fetched_at", "text", *self._own)
        return list(dict.fromkeys(name for name in own if name in flow.batch.schema.names and name not in self._made))

    def _known(self, first: int, count: int) -> _Known:
        records = self._records.take(count)
        stage = records.column("stage").cast(pa.string()).to_pylist()
        failed = np.array([reason == isolate.FAILED_REASON for reason in _plain(records, "reason")], np.bool_)
        passed = np.array([name is None or name in self._names for name in stage], np.bool_)
        number = sum(name is None for name in stage)
        documents, scores = self._documents.take(number), self._scores.take(number)
        rows = documents.column("row").to_numpy().astype(np.int64)
        if not np.array_equal(rows, scores.column("row").to_numpy()) or rows.tolist() != [
            first + place for place, name in enumerate(stage) if name is None
        ]:
            raise RuntimeError(f"rows from {first} on: records, documents and scores of the earlier run do not agree")
        place = np.full(count, -1, np.int64)
        place[rows - first] = np.arange(number)
        for name in scores.column_names[1:]:
            documents = documents.append_column(name, scores.column(name))
        return _Known(records, documents, place, stage, passed & ~failed)

    def _note(self, flow: Flow, known: _Known, places: NDArray[np.int64], tally: Tally) -> None:
        """Where the records ended that were not run again, and what their ledger rows carry."""
        then = known.records.take(pa.array(places))
        ended: Counter[str] = Counter()
        for place, stage, reason, verdict, rule in zip(
            places.tolist(),
            [known.stage[place] for place in places.tolist()],
            _plain(then, "reason"),
            _plain(then, "verdict"),
            then.column("rule").to_pylist(),
            strict=True,
        ):
            if stage is not None:
                ended[stage] += 1
                flow.ends.note(place, stage, reason, verdict, rule)
        for name in self._carried:
            flow.carry(name, exchange.one_chunk(then.column(name).cast(RECORDS.field(name).type)), places)
        left = len(places)
        for later in self._later:
            if left:
                tally.passed(later.name, left, ended[later.name])
                left -= ended[later.name]

    def _rejoin(self, flow: Flow, known: _Known, held: pa.RecordBatch, places: NDArray[np.int64]) -> None:
        """Put the documents that were not run again back among those that were, in the order of the records."""
        then = known.documents.take(pa.array(known.place[places]))
        columns = {name: held.column(name) for name in held.schema.names}
        columns |= {name: exchange.one_chunk(then.column(name).cast(field.type)) for name, field in self._made.items()}
        alive = np.concatenate([flow.alive, places])
        order = np.argsort(alive)
        fresh, names = flow.batch, flow.batch.schema.names
        joined = {
            name: pa.concat_arrays(
                [fresh.column(name) if name in names else pa.nulls(fresh.num_rows, column.type), column]
            ).take(pa.array(order))
            for name, column in columns.items()
        }
        flow.batch, flow.alive = pa.RecordBatch.from_pydict(joined), alive[order]


class _Rows:
    """Takes the rows of a file in order, any number at a time; holds one row group and what is asked for."""

    def __init__(self, storage: Storage, path: str, columns: Sequence[str]) -> None:
        with storage.open(path) as source:
            layout = pq.read_schema(source)
        self._batches: Iterator[pa.RecordBatch] = parquet.batches(storage, path, columns)
        self._held = pa.schema([layout.field(name) for name in columns]).empty_table()
        self._path = path

    def take(self, count: int) -> pa.Table:
        """The next `count` rows. Raises `StorageError` where there are fewer."""
        while self._held.num_rows < count:
            batch = next(self._batches, None)
            if batch is None:
                raise StorageError(f"{self._path}: has fewer rows than the records of its file")
            more = pa.Table.from_batches([batch]).select(self._held.column_names)
            self._held = pa.concat_tables([self._held, more.cast(self._held.schema)])
        taken = self._held.slice(0, count)
        self._held = self._held.slice(count)
        return taken


def _plain(table: pa.Table, name: str) -> list[Any]:
    values: list[Any] = table.column(name).cast(pa.string()).to_pylist()
    return values
