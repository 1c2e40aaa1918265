"""Step `limits`: whether the share of copies is what the manifest says it may be; before anything is encoded."""

from __future__ import annotations

from lauter.pipeline.comparing import Limits
from lauter.pipeline.specs import spec_class
from lauter.pipeline.steps.joining.pages import url_of
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
        {"documents": documents, "doc_id": doc_id, "url": url_of(storage, args["documents"][str(part)]["path"], row)}
        for documents, part, row, doc_id in args["largest"]
    ]
    survivors, removed = args["survivors"], args["removed"]
    share = removed / survivors if survivors else 0.0
    named = "; ".join(
        f"{item['documents']:,} documents with {item['url'] or item['doc_id']}" for item in largest[:NAMED]
    )
    low, high = limits.removed
    if survivors and not low <= share <= high:
        raise BuildStopped(
            f"stage {args['stage']['name']}: {share:.2%} of {survivors:,} documents are copies, and {low:.2%} to "
            f"{high:.2%} may be. The largest clusters: {named or 'none'}. "
            "Look at these pages, mend the set-up or the limits in the manifest, and build again"
        )
    return Result((), {"survivors": survivors, "removed": removed, "largest": largest})
