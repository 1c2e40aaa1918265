"""A batch of settled answers becomes rows of the index: versions of each origin, with all that its files say."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.stages.optout.index.columns import RANKS, UNREAD_RANK, Gathered, Merged, laid_out, one_chunk
from lauter.stages.optout.index.layout import INDEX, OUTCOMES, PENDING, SETTLED, rules_array, statements_array
from lauter.stages.optout.index.settled import UNDATED, At, Settled
from lauter.stages.optout.index.terms import SIGNAL_NAMES, Terms
from lauter.stages.optout.signals.sets import signal_sets
from lauter.stages.optout.signals.statement import Statement
from lauter.stages.optout.snapshot.answer import KINDS

_REDIRECT = PENDING.index("redirect")
_RULES, _ALLOW, _UNREACHABLE = (OUTCOMES.index(name) for name in ("rules", "allow", "unreachable"))
_RSL = KINDS.index("rsl")
_POINTER = SIGNAL_NAMES.index("rsl-unread")


def merge(settled: Settled, rows: pa.Table, terms: Terms) -> Merged:
    """Rows of the index from the settled answers of a range of ids (`layout.SETTLED`, one chunk a column)."""
    kinds = rows.column("kind").to_numpy()
    own = np.flatnonzero(kinds != _RSL)  # Licences are asked for by those who point at them.
    rows = rows.take(pa.array(own)).combine_chunks()
    kinds = kinds[own]
    group = _groups(rows)
    time = pc.fill_null(rows.column("fetched_at").cast(pa.int64()), UNDATED).to_numpy()
    if terms.every_version:
        pairs = np.unique(np.vstack([np.column_stack([group, time]), _elsewhere(settled, rows, group, time)]), axis=0)
        owner, since = pairs[:, 0], pairs[:, 1]
    else:
        owner = np.unique(group)
        since = np.full(len(owner), 2**62)
    gathered = Gathered()
    for kind in range(_RSL):
        _in_force(settled, rows, np.flatnonzero(kinds == kind), (group, time), (owner, since), terms, gathered)
    _licences(settled, since, terms, gathered)
    last = np.ones(len(owner), np.bool_)
    last[:-1] = owner[1:] != owner[:-1]
    first_row = np.searchsorted(group, owner)
    names = rows.select(["id", "name"]).take(pa.array(first_row)).combine_chunks()
    shown = pa.array(since, pa.int64(), mask=(since == UNDATED) | (not terms.every_version))
    return laid_out(names, shown.cast(INDEX.field("since").type), gathered, last)


def _elsewhere(
    settled: Settled, rows: pa.Table, group: NDArray[np.int64], time: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(origin, time), shape (n, 2), at which an answer changed to which an origin redirects or points."""
    kinds = rows.column("kind").to_numpy()
    moved = np.flatnonzero(rows.column("outcome").to_numpy() == _REDIRECT)
    asked = [
        (int(row), target, int(kinds[row]))
        for row, target in zip(moved, rows.column("target").take(pa.array(moved)).to_pylist(), strict=True)
    ]
    said = one_chunk(rows.column("statements"))
    flat = said.flatten()
    pointing = np.flatnonzero(pc.equal(flat.field("signal"), _POINTER).to_numpy(zero_copy_only=False))
    row_of = np.repeat(np.arange(len(said)), said.value_lengths().to_numpy())
    urls = flat.field("url").take(pa.array(pointing)).to_pylist()
    asked += [(int(row_of[at]), url, _RSL) for at, url in zip(pointing, urls, strict=True)]
    found = [
        (int(group[row]), moment)
        for row, name, kind in asked
        for moment in settled.times(name, kind)
        if moment > time[row]
    ]
    return np.array(found, np.int64).reshape(-1, 2)


def _groups(rows: pa.Table) -> NDArray[np.int64]:
    """The number of each row's origin, counting in the order of rows."""
    if not rows.num_rows:
        return np.zeros(0, np.int64)
    name = rows.column("name").chunk(0)
    new = pc.not_equal(name[1:], name[:-1]).to_numpy(zero_copy_only=False)
    return np.concatenate([[0], np.cumsum(new)]).astype(np.int64)


def _in_force(
    settled: Settled,
    rows: pa.Table,
    some: NDArray[np.int64],
    keys: tuple[NDArray[np.int64], NDArray[np.int64]],
    versions: tuple[NDArray[np.int64], NDArray[np.int64]],
    terms: Terms,
    gathered: Gathered,
) -> None:
    """Gather, of the rows `some` of one kind, the one in force at each version, redirects followed."""
    (group, time), (owner, since) = keys, versions
    # Ranks of times, so that (origin, time) is one number.
    ranks = np.unique(np.concatenate([time, since]))
    place = group[some] * (len(ranks) + 1) + np.searchsorted(ranks, time[some])
    order = np.argsort(place, kind="stable")
    wanted = owner * (len(ranks) + 1) + np.searchsorted(ranks, since)
    found = np.searchsorted(place[order], wanted, side="right") - 1
    version = np.flatnonzero(found >= 0)
    row = some[order[found[version]]]
    same = group[row] == owner[version]
    version, row = version[same], row[same]
    if not len(version):
        return
    kind = int(rows.column("kind")[int(row[0])].as_py())
    outcome = rows.column("outcome").to_numpy()[row]
    plain = np.flatnonzero(outcome != _REDIRECT)
    moved = np.flatnonzero(outcome == _REDIRECT)
    targets = rows.column("target").take(pa.array(row[moved])).to_pylist()
    times = since[version[moved]].tolist()
    ends = [
        settled.follow(target, kind, at if terms.every_version else None)
        for target, at in zip(targets, times, strict=True)
    ]
    lost = [i for i, end in zip(moved.tolist(), ends, strict=True) if end is None]
    kept = np.concatenate([plain, np.array(lost, np.int64)])
    table = rows.take(pa.array(row[kept]))
    codes = table.column("outcome").to_numpy().copy()
    codes[codes == _REDIRECT] = _UNREACHABLE
    table = table.set_column(SETTLED.get_field_index("outcome"), SETTLED.field("outcome"), pa.array(codes, pa.int8()))
    stamps = rows.column("fetched_at")
    nothing = pa.nulls(len(kept), pa.string())
    gathered.add(version[kept], RANKS[kind], table, one_chunk(stamps.take(pa.array(row[kept]))), nothing)
    by_part: dict[int, list[tuple[int, int]]] = {}
    for i, end in zip(moved.tolist(), ends, strict=True):
        if end is not None:
            by_part.setdefault(end.part, []).append((i, end.row))
    for part in sorted(by_part):
        which = np.array([i for i, _ in by_part[part]], np.int64)
        foreign = settled.tables[part].take(pa.array([at for _, at in by_part[part]]))
        via = one_chunk(foreign.column("name").cast(pa.string()))
        gathered.add(version[which], RANKS[kind], foreign, one_chunk(stamps.take(pa.array(row[which]))), via)


def _licences(settled: Settled, since: NDArray[np.int64], terms: Terms, gathered: Gathered) -> None:
    """Follow the pointers of gathered robots.txt; under some policies terms that are not known deny by themselves."""
    found: list[tuple[int, At]] = []
    unread: dict[int, list[Statement]] = {}
    for number in range(len(gathered.tables)):
        table, versions = gathered.tables[number], gathered.version[number]
        said = one_chunk(table.column("statements"))
        flat = said.flatten()
        pointing = np.flatnonzero(pc.equal(flat.field("signal"), _POINTER).to_numpy(zero_copy_only=False))
        if not len(pointing):
            continue
        row_of = np.repeat(np.arange(len(said)), said.value_lengths().to_numpy())
        resolved = np.zeros(len(flat), bool)
        for at, one in zip(pointing.tolist(), flat.take(pa.array(pointing)).to_pylist(), strict=True):
            version = int(versions[row_of[at]])
            time = int(since[version]) if terms.every_version else None
            end = settled.follow(one["url"], _RSL, time) if one["url"] else None
            known = end is not None and settled.outcome(end) in (_RULES, _ALLOW)
            resolved[at] = known
            if end is not None and known:
                found.append((version, end))
            else:
                unread.setdefault(version, []).append(
                    Statement("rsl-unread", "note", one["path"], tuple(one["agents"]), one["line"], one["text"])
                )
        shown = "rsl-unread" in terms.dropped | terms.recorded
        keep = ~resolved if shown else np.asarray(flat.field("signal")) != _POINTER
        gathered.tables[number] = table.set_column(
            SETTLED.get_field_index("statements"), SETTLED.field("statements"), _filtered(said, keep)
        )
    for version, end in dict.fromkeys(found):
        one = settled.tables[end.part].slice(end.row, 1)
        gathered.add(
            np.array([version]), RANKS[_RSL], one, one_chunk(one.column("fetched_at")), pa.nulls(1, pa.string())
        )
    sets = [signal_sets(said, terms.agents, terms.dropped) for said in unread.values()]
    if any(sets):
        table = _bare(rules_array(sets, terms.agents), len(sets))
        stamps = pa.nulls(len(sets), SETTLED.field("fetched_at").type)
        gathered.add(np.array(list(unread)), UNREAD_RANK, table, stamps, pa.nulls(len(sets), pa.string()))


def _bare(sets: pa.LargeListArray, count: int) -> pa.Table:
    """Rows of SETTLED that are nothing but sets."""
    columns = {
        "id": pa.array(np.zeros(count, np.uint64)),
        "name": pa.array([""] * count, pa.large_string()),
        "kind": pa.array([0] * count, pa.int8()),
        "outcome": pa.array([0] * count, pa.int8()),
        "truncated": pa.array([False] * count),
        "sets": sets,
        "statements": statements_array([()] * count),
    }
    arrays = [columns.get(one.name, pa.nulls(count, one.type)) for one in SETTLED]
    return pa.Table.from_arrays(arrays, schema=SETTLED)


def _filtered(lists: pa.LargeListArray, keep: NDArray[np.bool_]) -> pa.LargeListArray:
    """Lists without the elements that are not to be kept."""
    kept = np.concatenate([[0], np.cumsum(keep)])
    ends = np.concatenate([[0], np.cumsum(lists.value_lengths().to_numpy())])
    values = lists.flatten().filter(pa.array(keep))
    return pa.LargeListArray.from_arrays(pa.array(kept[ends]), values, type=lists.type)
