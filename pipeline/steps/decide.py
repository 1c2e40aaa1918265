"""Step `decide`: the soft decisions of one part, from score columns alone, and its candidates in each cluster.

The first stage (in manifest order) that objects gives the reason. Where none does, a copy of a record that a stage
dropped is dropped too, if that stage's policy says so. A document that survives and lies in a cluster becomes a
candidate for being the cluster's canonical document.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange, parquet, schema
from lauter.pipeline.contract import SoftStage, StageContext
from lauter.pipeline.steps.layouts import (
    CANDIDATES,
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
    cluster, size = _clusters(task, storage, rows)
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
    if args["clusters"] is not None:
        objected = np.array([reason is not None for reason in reasons], np.bool_)
        outputs.append(_candidates(task, storage, ~objected & ~again & (size > 0), cluster))
    return Result(tuple(outputs), {"mirrors": counts})


def _mirrored(task: Task, storage: Storage, rows: NDArray[np.uint32]) -> list[tuple[int, str, dict[str, Any]]]:
    """(place among the documents, policy, row of `MIRRORED`) of every copy, once: a stage that drops comes first."""
    mirrors = task.args["mirrors"]
    if mirrors is None:
        return []
    table, _ = exchange.read_parts(storage, [mirrors["found"]["path"]], task.args["ordinal"], MIRRORED)
    copies = table.to_pylist()
    places = np.searchsorted(rows, row_numbers(table)).tolist()
    found: dict[int, tuple[int, str, dict[str, Any]]] = {}
    for name, policy in sorted(mirrors["policies"], key=lambda item: item[1] != "drop"):
        for place, copy in zip(places, copies, strict=True):
            if copy["stage"] == name:
                found.setdefault(place, (place, policy, copy))
    return [found[place] for place in sorted(found)]


def _clusters(task: Task, storage: Storage, rows: NDArray[np.uint32]) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    cluster, size = np.zeros(len(rows), np.uint64), np.zeros(len(rows), np.uint32)
    if task.args["clusters"] is not None:
        table, _ = exchange.read_parts(storage, [task.args["clusters"]["path"]], task.args["ordinal"], CLUSTERS)
        place = np.searchsorted(rows, table.column("row").to_numpy())
        cluster[place] = table.column("cluster").to_numpy()
        size[place] = table.column("size").to_numpy()
    return cluster, size


def _candidates(task: Task, storage: Storage, chosen: NDArray[np.bool_], cluster: NDArray[np.uint64]) -> Output:
    args = task.args
    mask = pa.array(chosen)
    documents = parquet.read(storage, args["documents"]["path"], ["doc_id", "row", "fetched_at", "text_sha256"]).filter(
        mask
    )
    # A document without a date ranks last among its equals.
    fetched = documents.column("fetched_at").cast(pa.int64()).fill_null(np.iinfo(np.int64).max)
    table = pa.Table.from_arrays(
        [
            pa.array(cluster[chosen]),
            documents.column("row"),
            pa.array(np.full(documents.num_rows, args["priority"], np.uint32)),
            fetched,
            documents.column("doc_id"),
            documents.column("text_sha256"),
        ],
        schema=CANDIDATES,
    )
    # Clusters are spread by a multiplicative hash (Fibonacci, 2^64 / golden ratio): their ids are dense and small.
    spread = cluster[chosen] * np.uint64(0x9E3779B97F4A7C15)
    path = f"state/candidates/{args['part']}.arrow"
    return exchange.write(storage, path, table, exchange.partition_of(spread, args["partitions"]))
