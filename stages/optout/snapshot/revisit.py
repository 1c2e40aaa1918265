"""Revisit records: answers of which a snapshot says only that another of its records has their bytes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa

REFERENCE = pa.struct(
    [pa.field("record_id", pa.string()), pa.field("origin", pa.string()), pa.field("fetched_at", pa.int64())]
)
"""Type of the column `refers_to`: an `answer.Reference`."""

# A revisit that was answered "not modified" has the status of what was not modified.
_NOT_MODIFIED = 304


def resolve_revisits(table: pa.Table, counts: Counter[str]) -> pa.Table:
    """Give each answer with the outcome `revisit` what the record says that it refers to.

    That record is found by WARC-Refers-To, else by WARC-Refers-To-Target-URI (its own origin where there is none) and
    WARC-Refers-To-Date (WARC 1.1 section 6.7). It is `unparsable` where that is not in the snapshot, is a revisit or no
    whole answer itself, or was answered with another status. Counted: `revisits`, `unresolved`.
    """
    outcome = np.array(table.column("outcome").to_pylist(), object)
    revisits = np.flatnonzero(outcome == "revisit")
    counts["revisits"] = len(revisits)
    if not len(revisits):
        return table
    ids: dict[str, int] = {}
    places: dict[tuple[str, int], int] = {}
    names = table.column("origin").to_pylist()
    status = table.column("status").to_pylist()
    times = table.column("fetched_at").cast(pa.int64()).to_pylist()
    for row, name in enumerate(table.column("record_id").to_pylist()):
        for index, key in ((ids, name), (places, (names[row], times[row]))):
            # Two records of one name, of which one may be the wrong one: neither.
            index[key] = -1 if key in index else row  # type: ignore[index]
    source = np.arange(table.num_rows)
    for row in revisits.tolist():
        told = table.column("refers_to")[row].as_py()
        found = ids.get(told["record_id"], -1) if told["record_id"] else -1
        if found < 0 and told["fetched_at"] is not None:
            found = places.get((told["origin"] or names[row], told["fetched_at"]), -1)
        usable = found >= 0 and outcome[found] not in ("revisit", "unparsable")
        if usable and status[row] in (None, _NOT_MODIFIED, status[found]):
            source[row] = found
        else:
            outcome[row] = "unparsable"
            counts["unresolved"] += 1
    answer = table.select(["status", "sha256", "truncated", "redirected_to", "sets"]).take(pa.array(source))
    for name in answer.column_names:
        table = table.set_column(table.column_names.index(name), name, answer.column(name))
    outcome = np.where(source == np.arange(table.num_rows), outcome, outcome[source])
    return table.set_column(table.column_names.index("outcome"), "outcome", pa.array(outcome, pa.string()))
