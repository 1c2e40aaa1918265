"""A batch of settled answers becomes rows of the index: versions of each origin, with all that its files say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.stages.optout.index.layout import (
    FILE,
    INDEX,
    OUTCOMES,
    PENDING,
    RULES,
    SAID,
    SET,
    SETTLED,
    rules_array,
    statements_array,
)
from lauter.stages.optout.index.settled import UNDATED, At, Settled
from lauter.stages.optout.index.terms import SIGNAL_NAMES, Terms
from lauter.stages.optout.signals.sets import signal_sets
from lauter.stages.optout.signals.statement import Statement
from lauter.stages.optout.snapshot.answer import KINDS

_REDIRECT = PENDING.index("redirect")
_RULES, _ALLOW, _UNREACHABLE, _UNPARSABLE = (
    OUTCOMES.index(name) for name in ("rules", "allow", "unreachable", "unparsable")
)
_MISSING = OUTCOMES.index("missing")
_RSL = KINDS.index("rsl")
_POINTER = SIGNAL_NAMES.index("rsl-unread")


class Merged(NamedTuple):
    """The rows of one batch."""

    index: pa.RecordBatch
    """Of `layout.INDEX`."""
    statements: pa.LargeListArray
    """Of `layout.SAID`, one list a row."""
    last: NDArray[np.bool_]
    """Whether a row is its origin's last."""


@dataclass
class _Gathered:
    """Answers in the order in which they speak, with the version that each belongs to."""

    version: list[NDArray[np.int64]] = field(default_factory=list)
    rank: list[NDArray[np.int64]] = field(default_factory=list)
    tables: list[pa.Table] = field(default_factory=list)
    """Of SETTLED, the answer at the end of redirects."""
    fetched_at: list[pa.Array] = field(default_factory=list)
    """When the origin's own answer was fetched."""
    via: list[pa.Array] = field(default_factory=list)
    """The name of the answer, where it is another's."""

    def add(self, version: NDArray[np.int64], rank: int, table: pa.Table, fetched_at: pa.Array, via: pa.Array) -> None:
        """Add the answers of some versions, all of one rank."""
        self.version.append(version)
        self.rank.append(np.full(len(version), rank, np.int64))
        self.tables.append(table)
        self.fetched_at.append(fetched_at)
        self.via.append(via)


_UNREAD_RANK = 1
"""Sets of pointers whose terms are not known come behind robots.txt, in which they stand."""
_RANKS = {0: 0, 1: 2, 2: 3, _RSL: 4}
"""Rank by kind."""


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
    gathered = _Gathered()
    for kind in range(_RSL):
        _in_force(settled, rows, np.flatnonzero(kinds == kind), (group, time), (owner, since), terms, gathered)
    _licences(settled, since, terms, gathered)
    last = np.ones(len(owner), np.bool_)
    last[:-1] = owner[1:] != owner[:-1]
    first_row = np.searchsorted(group, owner)
    names = rows.select(["id", "name"]).take(pa.array(first_row)).combine_chunks()
    shown = pa.array(since, pa.int64(), mask=(since == UNDATED) | (not terms.every_version))
    return _rows(names, shown.cast(INDEX.field("since").type), gathered, last)


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
    said = _one(rows.column("statements"))
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
    gathered: _Gathered,
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
    gathered.add(version[kept], _RANKS[kind], table, _one(stamps.take(pa.array(row[kept]))), nothing)
    by_part: dict[int, list[tuple[int, int]]] = {}
    for i, end in zip(moved.tolist(), ends, strict=True):
        if end is not None:
            by_part.setdefault(end.part, []).append((i, end.row))
    for part in sorted(by_part):
        which = np.array([i for i, _ in by_part[part]], np.int64)
        foreign = settled.tables[part].take(pa.array([at for _, at in by_part[part]]))
        via = _one(foreign.column("name").cast(pa.string()))
        gathered.add(version[which], _RANKS[kind], foreign, _one(stamps.take(pa.array(row[which]))), via)


def _licences(settled: Settled, since: NDArray[np.int64], terms: Terms, gathered: _Gathered) -> None:
    """Follow the pointers of gathered robots.txt; under some policies terms that are not known deny by themselves."""
    found: list[tuple[int, At]] = []
    unread: dict[int, list[Statement]] = {}
    for number in range(len(gathered.tables)):
        table, versions = gathered.tables[number], gathered.version[number]
        said = _one(table.column("statements"))
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
        gathered.add(np.array([version]), _RANKS[_RSL], one, _one(one.column("fetched_at")), pa.nulls(1, pa.string()))
    sets = [signal_sets(said, terms.agents, terms.dropped) for said in unread.values()]
    if any(sets):
        table = _bare(rules_array(sets, terms.agents), len(sets))
        stamps = pa.nulls(len(sets), SETTLED.field("fetched_at").type)
        gathered.add(np.array(list(unread)), _UNREAD_RANK, table, stamps, pa.nulls(len(sets), pa.string()))


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


def _rows(names: pa.Table, since: pa.Array, gathered: _Gathered, last: NDArray[np.bool_]) -> Merged:
    """Bring what was gathered into order and lay it side by side."""
    count = names.num_rows
    version = np.concatenate([np.zeros(0, np.int64), *gathered.version])
    rank = np.concatenate([np.zeros(0, np.int64), *gathered.rank])
    table = pa.concat_tables([SETTLED.empty_table(), *gathered.tables]).combine_chunks()
    stamps = _one(pa.chunked_array(gathered.fetched_at, SETTLED.field("fetched_at").type))
    via = _one(pa.chunked_array(gathered.via, pa.string()))
    # Several licences of one origin stand in the order of their URLs.
    names_of = pa.table({"version": version, "rank": rank, "name": table.column("name")})
    order = pc.sort_indices(names_of, [(name, "ascending") for name in names_of.column_names])
    table = table.take(order).combine_chunks()
    version, rank = version[order.to_numpy()], rank[order.to_numpy()]
    stamps, via = stamps.take(order), via.take(order)
    starts = np.searchsorted(version, np.arange(count + 1))

    is_file = rank > _UNREAD_RANK
    number = np.cumsum(is_file)
    before = np.concatenate([[0], number])[starts]
    file_number = np.where(is_file, number - before[version], 0)
    said, file_name = table.column("statements"), pa.array(KINDS).take(table.column("kind"))
    robots = np.full(count, -1, np.int64)
    robots[version[rank == 0]] = np.flatnonzero(rank == 0)
    spoken = pa.array(robots, mask=robots < 0)
    outcome = pc.fill_null(table.column("outcome").take(spoken), _MISSING)
    columns = {
        "origin_id": names.column("id"),
        "origin": names.column("name"),
        "since": since,
        "status": table.column("status").take(spoken),
        "fetched_at": stamps.take(spoken),
        "sha256": table.column("sha256").take(spoken),
        "outcome": pa.DictionaryArray.from_arrays(_one(outcome), pa.array(OUTCOMES)),
        "truncated": pc.fill_null(table.column("truncated").take(spoken), pa.scalar(value=False)),
        "redirected_to": via.take(spoken),
        "unread": _unread(table, version, is_file, count),
        "files": _files(table.set_column(SETTLED.get_field_index("fetched_at"), "fetched_at", stamps), is_file, before),
        "sets": _sets(_one(table.column("sets")), file_number, starts),
    }
    arrays = [_one(columns[one.name]).cast(one.type) for one in INDEX]
    statements = _said(_one(said), _one(file_name), _one(table.column("sha256")), starts)
    return Merged(pa.RecordBatch.from_arrays(arrays, schema=INDEX), statements, last)


def _unread(table: pa.Table, version: NDArray[np.int64], is_file: NDArray[np.bool_], count: int) -> pa.Array:
    bits = np.zeros(count, np.uint8)
    kind, outcome = table.column("kind").to_numpy(), table.column("outcome").to_numpy()
    for code, shift in ((_UNPARSABLE, 0), (_UNREACHABLE, 4)):
        some = is_file & (outcome == code)
        np.bitwise_or.at(bits, version[some], (1 << (kind[some] + shift)).astype(np.uint8))
    return pa.array(bits)


def _files(table: pa.Table, is_file: NDArray[np.bool_], before: NDArray[np.int64]) -> pa.LargeListArray:
    files = table.filter(pa.array(is_file)).combine_chunks()
    url = pc.if_else(pc.equal(files.column("kind"), _RSL), files.column("name").cast(pa.string()), None)
    columns = {"url": url} | {name: files.column(name) for name in files.column_names}
    flat = pa.StructArray.from_arrays([_one(columns[one.name]).cast(one.type) for one in FILE], fields=list(FILE))
    return pa.LargeListArray.from_arrays(pa.array(before), flat, type=pa.large_list(FILE))


def _sets(sets: pa.LargeListArray, file_number: NDArray[np.int64], starts: NDArray[np.int64]) -> pa.LargeListArray:
    """The sets of all answers of a version as one list."""
    flat = sets.flatten()
    lengths = sets.value_lengths().to_numpy()
    ends = np.concatenate([[0], np.cumsum(lengths)])
    columns = {one.name: flat.field(one.name) for one in SET}
    columns["file"] = pa.array(np.repeat(file_number, lengths).astype(np.int8))
    again = pa.StructArray.from_arrays([columns[one.name] for one in SET], fields=list(SET))
    return pa.LargeListArray.from_arrays(pa.array(ends[starts]), again, type=RULES)


def _said(
    statements: pa.LargeListArray, file: pa.Array, sha256: pa.Array, starts: NDArray[np.int64]
) -> pa.LargeListArray:
    flat = statements.flatten()
    lengths = statements.value_lengths().to_numpy()
    ends = np.concatenate([[0], np.cumsum(lengths)])
    owner = pa.array(np.repeat(np.arange(len(statements)), lengths))
    columns = {one.name: flat.field(one.name) for one in SAID if one.name not in ("signal", "file", "sha256")}
    columns |= {"signal": pa.array(SIGNAL_NAMES).take(flat.field("signal"))}
    columns |= {"file": file.take(owner), "sha256": sha256.take(owner)}
    values = pa.StructArray.from_arrays([columns[one.name] for one in SAID], fields=list(SAID))
    return pa.LargeListArray.from_arrays(pa.array(ends[starts]), values, type=pa.large_list(SAID))


def _filtered(lists: pa.LargeListArray, keep: NDArray[np.bool_]) -> pa.LargeListArray:
    """Lists without the elements that are not to be kept."""
    kept = np.concatenate([[0], np.cumsum(keep)])
    ends = np.concatenate([[0], np.cumsum(lists.value_lengths().to_numpy())])
    values = lists.flatten().filter(pa.array(keep))
    return pa.LargeListArray.from_arrays(pa.array(kept[ends]), values, type=lists.type)


def _one(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column as one array."""
    if isinstance(column, pa.Array):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.chunks else pa.array([], column.type)
