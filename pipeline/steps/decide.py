"""Step `decide`: the soft decisions of one part, from score columns alone, and its candidates in each component.

The first stage (in manifest order) that objects gives the reason. Where none does, a copy of a record that a stage
dropped is dropped too, if that stage's policy says so. A document that survives and has a copy becomes a candidate:
which of several copies is kept is chosen among these.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange, parquet, schema
from lauter.pipeline.contract import SoftStage, StageContext
from lauter.pipeline.steps.joining.candidates import candidates
from lauter.pipeline.steps.layouts import (
    CLUSTERS,
    DECISIONS,
    MIRROR,
    MIRRORED,
    ROWS,
    TEXT,
    read_survey,
    row_numbers,
    rows_of_part,
)
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import artefact_folder, made


def run(task: Task, storage: Storage) -> Result:
    """Decide one part."""
    args = task.args
    scores = parquet.read(storage, args["scores"]["path"])
    rows = scores.column("row").to_numpy()
    stage_names: list[str | None] = [None] * len(rows)
    reasons: list[str | None] = [None] * len(rows)
    rules: list[object] = [None] * len(rows)
    batch = exchange.one_batch(scores)
    for spec in args["stages"]:
        prepared = [Output.from_json(item) for item in args["prepared"].get(spec["name"], ())]
        stage = made(spec, StageContext(seed=args["seed"], artefacts=artefact_folder(storage, prepared)))
        if spec["name"] in args["surveyed"]:
            stage.surveyed(*read_survey(storage, args["surveyed"][spec["name"]]["path"]))
        if isinstance(stage, SoftStage) and batch.num_rows:
            verdict = stage.decide(batch)
            for index in np.flatnonzero(verdict.reason):
                if reasons[index] is None:
                    stage_names[index] = spec["name"]
                    reasons[index] = stage.reasons[verdict.reason[index] - 1].name
                    rules[index] = verdict.rule[int(index)].as_py() if verdict.rule is not None else None
    cluster, size, component, visits = _clusters(task, storage, rows)
    again = np.isin(rows, row_numbers(rows_of_part(storage, args["same"], args["ordinal"], ROWS)))
    mirror_of: list[bytes | None] = [None] * len(rows)
    counts = {"found": 0, "dropped": 0}
    for place, policy, copy in _mirrored(task, storage, rows):
        mirror_of[place] = copy["doc_id"]
        counts["found"] += int(reasons[place] is None and not again[place])
        if policy == "drop" and reasons[place] is None:
            stage_names[place], reasons[place] = copy["stage"], MIRROR
            rules[place] = {"agent": None, "signal": "mirror", "line": None, "text": copy["url"]}
            counts["dropped"] += int(not again[place])
    table = pa.Table.from_arrays(
        [
            scores.column("doc_id").combine_chunks(),
            pa.array(rows),
            pa.array(stage_names, TEXT),
            pa.array(reasons, TEXT),
            pa.array(rules, schema.RULE),
            pa.array(cluster, mask=size == 0),
            pa.array(size, mask=size == 0),
            pa.array(mirror_of, schema.DOC_ID),
        ],
        schema=DECISIONS,
    )
    path = f"decisions/{args['part']}.parquet"
    outputs = [parquet.write(storage, path, DECISIONS, [exchange.one_batch(table)])]
    survives = np.array([reason is None for reason in reasons], np.bool_) & ~again
    if args["copies"] is not None:
        own = np.flatnonzero(survives & (size > 0))
        visits = visits[survives[visits[:, 0].astype(np.int64)]]
        places = np.concatenate([own, visits[:, 0].astype(np.int64)])
        groups = np.concatenate([component[own], visits[:, 1]])
        outputs.append(candidates(task, storage, scores.take(pa.array(places)), groups))
    return Result(tuple(outputs), {"mirrors": counts, "survivors": int(survives.sum())})


def _mirrored(task: Task, storage: Storage, rows: NDArray[np.uint32]) -> list[tuple[int, str, dict[str, Any]]]:
    """(place among the documents, policy, row of `MIRRORED`) of every copy, once: a stage that drops comes first."""
    mirrors = task.args["mirrors"]
    if mirrors is None:
        return []
    table = rows_of_part(storage, mirrors["found"], task.args["ordinal"], MIRRORED)
    # Of several records that a document is a copy of, the first in the run is named.
    table = table.sort_by([(name, "ascending") for name in ("record", "stage", "row")])
    copies = table.to_pylist()
    places = np.searchsorted(rows, row_numbers(table)).tolist()
    found: dict[int, tuple[int, str, dict[str, Any]]] = {}
    for name, policy in sorted(mirrors["policies"], key=lambda item: item[1] != "drop"):
        for place, copy in zip(places, copies, strict=True):
            if copy["stage"] == name:
                found.setdefault(place, (place, policy, copy))
    return [found[place] for place in sorted(found)]


def _clusters(
    task: Task, storage: Storage, rows: NDArray[np.uint32]
) -> tuple[NDArray[np.uint64], NDArray[np.uint32], NDArray[np.uint64], NDArray[np.uint64]]:
    """Cluster, number of documents in it and component of each document, zeros for one that is alone.

    Last, shape (m, 2): the place of a document, and another component that it has a say in.
    """
    cluster, size = np.zeros(len(rows), np.uint64), np.zeros(len(rows), np.uint32)
    component, visits = np.zeros(len(rows), np.uint64), np.empty((0, 2), np.uint64)
    if task.args["copies"] is not None:
        table = rows_of_part(storage, task.args["copies"]["clusters"], task.args["ordinal"], CLUSTERS)
        place = np.searchsorted(rows, table.column("row").to_numpy())
        own = table.column("size").to_numpy() > 0
        for array, name in ((cluster, "cluster"), (size, "size"), (component, "component")):
            array[place[own]] = table.column(name).to_numpy()[own]
        visits = np.column_stack([place.astype(np.uint64), table.column("component").to_numpy()])[~own]
    return cluster, size, component, visits
