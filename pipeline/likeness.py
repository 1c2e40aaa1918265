"""How alike a near copy and its original are, as far as the published sketches tell (`signatures/`).

What decided may have been the texts, which nobody reads again here: sketches estimate, and their error is said too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from lauter.pipeline import exchange
from lauter.pipeline.fixed_width import matrix, row_width, unpacked
from lauter.pipeline.manifest import Catalogue, load_target
from lauter.pipeline.steps.layouts import ITEMS, NEAR
from lauter.pipeline.storage import Storage


class Place(NamedTuple):
    """Where a record stands."""

    storage: Storage
    """The run folder of its corpus."""
    part: str
    row: int
    """Counted in its part."""


def add_similarities(
    found: Sequence[dict[str, Any]], copies: Sequence[Place], originals: Mapping[int, Place], catalogue: Catalogue
) -> None:
    """Add `similarity` to the near duplicates among ledger rows: `estimate` and `error`, its standard error.

    Only a stage that has `similarity` (`comparing.BarrierStage`) can say it, and only of documents whose sketches are
    there: a takedown removes them, and an older corpus may be gone.

    Args:
        found: ledger rows, changed in place.
        copies: where each stands.
        originals: where the original of some of them stands, by their number in `found`.
        catalogue: the stages.
    """
    for number, original in originals.items():
        row = found[number]
        target = catalogue.barriers.get(row["stage"]) if row["reason"] == NEAR else None
        stage = None if target is None else load_target(target, "")
        if stage is None or not hasattr(stage, "similarity"):
            continue
        sketches = [_sketch(place, stage.sketches) for place in (copies[number], original)]
        if None in sketches:
            continue
        estimate, error = (float(value[0]) for value in stage.similarity(*sketches))
        if not np.isnan(estimate):
            row["similarity"] = {"estimate": round(estimate, 4), "error": round(error, 4)}


def _sketch(place: Place, schema: pa.Schema) -> pa.RecordBatch | None:
    """The sketch of one document, one row; None where there is none."""
    path = f"signatures/items/{place.part}.arrow"
    if place.storage.size(path) is None:
        return None
    for batch in exchange.messages(place.storage, path, ITEMS):
        at = np.flatnonzero(batch.column("row").to_numpy(zero_copy_only=False) == place.row)
        if len(at):
            return unpacked(matrix(batch.column("sketch").slice(int(at[0]), 1), row_width(schema)), schema)
    return None
