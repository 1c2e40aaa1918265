"""The mask at the end of a build."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lauter.pipeline.corpus import lineage
from lauter.pipeline.proof.chain import CORPUS
from lauter.pipeline.storage import Storage, StorageError
from lauter.pipeline.takedown.demands import TOMBSTONES, Demand, joined, read_tombstones, tombstone_bytes
from lauter.pipeline.takedown.find import find
from lauter.pipeline.takedown.mask import PENDING, apply, settled
from lauter.pipeline.takedown.published import takedown_fields
from lauter.pipeline.takedown.words import publish_filter
from lauter.pipeline.task import Result

if TYPE_CHECKING:
    from lauter.pipeline.graph.plan import Plan


def mask_results(plan: Plan, results: dict[str, Result]) -> None:
    """Blank what the run folder's demands, and those of the manifest's lists, hit; `results` learn of it.

    Where corpus.json says that all of it was masked with the same demands, nothing is looked at. Raises `StorageError`.
    """
    storage = plan.storage
    demands = _all_demands(storage, plan.manifest.takedown)
    if not demands or _is_masked(storage, demands):
        return
    found = find(storage, [part.name for part in plan.parts], demands)
    if found.parts:
        storage.delete(CORPUS)
        publish_filter(storage, found, lineage(plan, results))
        masked = apply(storage, found, demands, believed=storage.size(PENDING) is None)
        for name, result in results.items():
            own = {output.path: masked[output.path] for output in result.outputs if output.path in masked}
            if own:
                results[name] = replace(result, masked={**result.masked, **own})
    settled(storage)


def _all_demands(storage: Storage, listed: Sequence[Demand]) -> list[Demand]:
    """The folder's demands; those of the manifest that it has not are added to its list first."""
    known = read_tombstones(storage)
    number = max((item.number for item in known), default=0) + 1
    demands, new = joined(known, [replace(item, number=number) for item in listed])
    if new:
        storage.write(TOMBSTONES, tombstone_bytes(demands))
    return demands


def _is_masked(storage: Storage, demands: Sequence[Demand]) -> bool:
    if storage.size(CORPUS) is None or storage.size(PENDING) is not None:
        return False
    try:
        masked: bool = storage.read_json(CORPUS).get("takedown") == takedown_fields(demands)
    except (StorageError, AttributeError):
        return False
    return masked
