"""How many documents have each code in columns of a few codes (`schema.CODES`), such as which model judged them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lauter.pipeline import parquet, schema
from lauter.pipeline.steps.layouts import TALLIES
from lauter.pipeline.storage import Storage

CODE = "code"
"""What tallies call them in `of`: a column in `name`, a code in `more`."""


def code_tally(storage: Storage, scores: str, source: str) -> pa.Table:
    """Rows of the layout `TALLIES` for the documents of one part's scores, all that passed the hard decisions."""
    with storage.open(scores) as stream:
        columns = sorted(schema.CODES.keys() & set(pq.read_schema(stream).names))
    found = {column: np.zeros(256, np.int64) for column in columns}
    for batch in parquet.batches(storage, scores, columns) if columns else ():
        for column, counts in found.items():
            counts += np.bincount(batch.column(column).drop_null().to_numpy(), minlength=256)
    none = {**dict.fromkeys(TALLIES.names), "of": CODE, "source": source, "tokens": 0, "chars": 0}
    rows = [
        none | {"name": column, "more": str(code), "records": int(counts[code])}
        for column, counts in found.items()
        for code in np.flatnonzero(counts).tolist()
    ]
    return pa.Table.from_pylist(rows, TALLIES)


def codes_of(tallies: Iterable[Mapping[str, Any]]) -> dict[str, dict[int, int]]:
    """Column -> code -> documents of all sources."""
    found: dict[str, dict[int, int]] = {}
    for row in tallies:
        if row["of"] == CODE:
            counts = found.setdefault(row["name"], {})
            code = int(row["more"])
            counts[code] = counts.get(code, 0) + row["records"]
    return found
