"""The range step of compiling: of all answers of a range of origins, those that count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.stages.optout.index.layout import ANSWER, PENDING, SETTLED
from lauter.stages.optout.index.terms import Terms

QUESTION = pa.schema(
    [
        pa.field("asker", pa.uint64(), nullable=False),
        pa.field("record_id", pa.string()),
        pa.field("name", pa.string()),
        pa.field("fetched_at", pa.int64()),
    ]
)
"""What a revisit record refers to, and the id of the row that asks."""

# A revisit that was answered "not modified" has the status of what was not modified.
_NOT_MODIFIED = 304
_REVISIT, _UNPARSABLE = PENDING.index("revisit"), PENDING.index("unparsable")


def questions(rows: pa.Table) -> pa.Table:
    """What the revisits among answers ask for, a table of QUESTION."""
    asking = rows.filter(pc.equal(rows.column("outcome"), _REVISIT))
    told = asking.column("refers_to").combine_chunks()
    fields = [told.field(name) for name in ("record_id", "name", "fetched_at")]
    return pa.Table.from_arrays([asking.column("id"), *fields], schema=QUESTION)


def asked_rows(rows: pa.Table, asked: Iterable[pa.Table]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """(row, asker) of every answer that a question may mean, each pair once, in no order.

    `rows` are of ANSWER; `asked` are tables of QUESTION, read one after the other.
    """
    found: set[tuple[int, int]] = set()
    for table in asked:
        by_id: dict[str, list[int]] = {}
        by_place: dict[tuple[str, int], list[int]] = {}
        for row in table.to_pylist():
            if row["record_id"] is not None:
                by_id.setdefault(row["record_id"], []).append(row["asker"])
            if row["fetched_at"] is not None:
                by_place.setdefault((row["name"], row["fetched_at"]), []).append(row["asker"])
        for index, record_id, name, time in _candidates(rows, by_id.keys(), {name for name, _ in by_place}):
            askers = by_place.get((name, time), []) if time is not None else []
            found.update((index, asker) for asker in (*by_id.get(record_id or "", ()), *askers))
    pairs = sorted(found)
    return np.array([row for row, _ in pairs], np.int64), np.array([asker for _, asker in pairs], np.uint64)


def settle(rows: pa.Table, foreign: pa.Table, terms: Terms, counts: Counter[str]) -> pa.Table:
    """The answers of ANSWER that count, as a table of SETTLED.

    Of several answers of one name and kind the newest counts, or every one under `Terms.every_version`; among equally
    old ones a file before any other, then the one with the largest digest (then status, outcome, target, the truncated
    one). An answer without a date is older than all others. `foreign` are answers of other ranges that revisits may
    refer to. Counted: `superseded`, `revisits`, `unresolved`.
    """
    rows = _resolve_revisits(pa.concat_tables([rows, foreign]), rows.num_rows, counts)
    rows = rows.select(SETTLED.names)
    order = _counting(rows, every_version=terms.every_version)
    counts["superseded"] += rows.num_rows - len(order)
    return rows.combine_chunks().take(pa.array(order)).cast(SETTLED)


def _candidates(
    rows: pa.Table, record_ids: Iterable[str], names: Iterable[str]
) -> list[tuple[int, str | None, str, int | None]]:
    """(row, record_id, name, fetched_at) of the rows that one of the ids or names fits."""
    fits = pc.or_kleene(
        pc.fill_null(
            pc.is_in(rows.column("record_id"), pa.array(list(record_ids), pa.string())), pa.scalar(value=False)
        ),
        pc.is_in(rows.column("name"), pa.array(list(names), pa.large_string())),
    )
    index = np.flatnonzero(fits.to_numpy(zero_copy_only=False))
    some = rows.select(["record_id", "name", "fetched_at"]).take(pa.array(index))
    times = some.column("fetched_at").cast(pa.int64()).to_pylist()
    ids, found = some.column("record_id").to_pylist(), some.column("name").to_pylist()
    return list(zip(index.tolist(), ids, found, times, strict=True))


def _resolve_revisits(table: pa.Table, own: int, counts: Counter[str]) -> pa.Table:
    """The first `own` rows; each revisit among them has what the record says that it refers to.

    That record is found by WARC-Refers-To, else by WARC-Refers-To-Target-URI (its own origin where there is none) and
    WARC-Refers-To-Date (WARC 1.1 section 6.7). A revisit is `unparsable` where that is not in the snapshot, is a
    revisit or no whole answer itself, or was answered with another status.
    """
    outcome = table.column("outcome").to_numpy()
    revisits = np.flatnonzero(outcome[:own] == _REVISIT)
    counts["revisits"] += len(revisits)
    if not len(revisits):
        return table.slice(0, own)
    told = table.column("refers_to").take(pa.array(revisits)).to_pylist()
    ids: dict[str, int] = {}
    places: dict[tuple[int, str, int], int] = {}
    kind, status = table.column("kind").to_numpy(), table.column("status").to_pylist()
    wanted_ids = {one["record_id"] for one in told if one["record_id"]}
    for row, record_id, name, time in _candidates(table, wanted_ids, {one["name"] for one in told}):
        # Two records of one name, of which one may be the wrong one: neither.
        if record_id is not None:
            ids[record_id] = -1 if record_id in ids else row
        if time is not None:
            place = (int(kind[row]), name, time)
            places[place] = -1 if place in places else row
    source = np.arange(own)
    for row, one in zip(revisits.tolist(), told, strict=True):
        found = ids.get(one["record_id"], -1) if one["record_id"] else -1
        if found < 0 and one["fetched_at"] is not None:
            found = places.get((int(kind[row]), one["name"], one["fetched_at"]), -1)
        usable = found >= 0 and kind[found] == kind[row] and outcome[found] not in (_REVISIT, _UNPARSABLE)
        if usable and status[row] in (None, _NOT_MODIFIED, status[found]):
            source[row] = found
        else:
            counts["unresolved"] += 1
    final = outcome[source]
    final[final == _REVISIT] = _UNPARSABLE
    said = table.select(["status", "sha256", "truncated", "target", "sets", "statements"]).take(pa.array(source))
    table = table.slice(0, own)
    for name in said.column_names:
        table = table.set_column(table.column_names.index(name), ANSWER.field(name), said.column(name))
    return table.set_column(table.column_names.index("outcome"), ANSWER.field("outcome"), pa.array(final, pa.int8()))


def _counting(table: pa.Table, *, every_version: bool) -> NDArray[np.int64]:
    """The rows that count, in the order of (id, name, kind, fetched_at).

    Of equally old answers (and of undated ones) a file counts before any other: a 404 that another fetch met in the
    same second lifts no opt-out. The rest of the order only makes it the same for every order of files.
    """
    status = table.column("status")
    found = pc.or_kleene(pc.is_null(status), pc.and_(pc.greater_equal(status, 200), pc.less(status, 300)))
    keys = pa.table(
        {
            "id": table.column("id"),
            "name": table.column("name"),
            "kind": table.column("kind"),
            "fetched_at": pc.fill_null(table.column("fetched_at").cast(pa.int64()), -(2**62)),
            "file": pc.and_(pc.is_valid(table.column("sha256")), pc.fill_null(found, fill_value=True)).cast(pa.int8()),
            "sha256": pc.fill_null(table.column("sha256").cast(pa.binary()), b""),
            "status": pc.fill_null(status, -1),
            "outcome": table.column("outcome"),
            "target": pc.fill_null(table.column("target"), ""),
            "truncated": table.column("truncated"),
        }
    )
    order = pc.sort_indices(keys, [(name, "ascending") for name in keys.column_names]).to_numpy().astype(np.int64)
    last = np.ones(len(order), bool)
    if len(order) > 1:
        same = np.ones(len(order) - 1, bool)
        for name in ("name", "kind", *(["fetched_at"] if every_version else [])):
            column = keys.column(name).combine_chunks().take(pa.array(order))
            same &= pc.equal(column[:-1], column[1:]).to_numpy(zero_copy_only=False)
        last[:-1] = ~same
    counting: NDArray[np.int64] = order[last]
    return counting
