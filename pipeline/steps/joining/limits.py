"""Step `limits`: whether the share of copies is what the manifest says it may be; before anything is encoded."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lauter.pipeline import parquet
from lauter.pipeline.comparing import Limits
from lauter.pipeline.specs import spec_class
from lauter.pipeline.stopped import BuildStopped
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task

NAMED = 3
"""Clusters that the message of a build that stops names."""


def run(task: Task, storage: Storage) -> Result:
    """Count, name the largest clusters, and raise `BuildStopped` where a limit is broken."""
    args = task.args
    cls = spec_class(args["stage"])
    limits: Limits = cls.limits(cls.Config.model_validate(dict(args["stage"]["config"])))
    largest = [
        {"documents": documents, "doc_id": doc_id, "url": _url(storage, args["documents"][str(part)], row)}
        for documents, part, row, doc_id in args["largest"]
    ]
    survivors, removed = args["survivors"], args["removed"]
    share = removed / survivors if survivors else 0.0
    top = largest[0]["documents"] / survivors if largest and survivors else 0.0
    named = "; ".join(
        f"{item['documents']:,} documents with {item['url'] or item['doc_id']}" for item in largest[:NAMED]
    )
    low, high = limits.removed
    wrong = []
    if survivors and not low <= share <= high:
        wrong.append(f"{share:.2%} of {survivors:,} documents are copies, and {low:.2%} to {high:.2%} may be")
    if top > limits.largest_cluster:
        wrong.append(
            f"the largest cluster holds {top:.2%} of {survivors:,} documents, "
            f"and {limits.largest_cluster:.2%} is the limit"
        )
    if wrong:
        raise BuildStopped(
            f"stage {args['stage']['name']}: {'; '.join(wrong)}. The largest clusters: {named or 'none'}. "
            "Look at these pages, mend the set-up or the limits in the manifest, and build again"
        )
    return Result((), {"survivors": survivors, "removed": removed, "largest": largest})


def _url(storage: Storage, documents: dict[str, Any], row: int) -> str | None:
    for batch in parquet.batches(storage, documents["path"], ["row", "url"]):
        found = batch.filter(pc.equal(batch.column("row"), pa.scalar(row, pa.uint32())))
        if found.num_rows:
            url: str | None = found.column("url")[0].as_py()
            return url
    return None
