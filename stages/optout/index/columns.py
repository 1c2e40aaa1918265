"""What was gathered of each version of an origin, laid side by side as the columns of the index."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.stages.optout.index.layout import FILE, INDEX, OUTCOMES, RULES, SAID, SET, SETTLED
from lauter.stages.optout.index.terms import SIGNAL_NAMES
from lauter.stages.optout.snapshot.answer import KINDS

_UNREACHABLE, _UNPARSABLE, _MISSING = (OUTCOMES.index(name) for name in ("unreachable", "unparsable", "missing"))
_RSL = KINDS.index("rsl")

UNREAD_RANK = 1
"""Sets of pointers whose terms are not known come behind robots.txt, in which they stand."""
RANKS = {0: 0, 1: 2, 2: 3, _RSL: 4}
"""Rank by kind."""


class Merged(NamedTuple):
    """The rows of one batch."""

    index: pa.RecordBatch
    """Of `layout.INDEX`."""
    statements: pa.LargeListArray
    """Of `layout.SAID`, one list a row."""
    last: NDArray[np.bool_]
    """Whether a row is its origin's last."""


@dataclass
class Gathered:
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


def laid_out(names: pa.Table, since: pa.Array, gathered: Gathered, last: NDArray[np.bool_]) -> Merged:
    """Bring what was gathered into order and lay it side by side."""
    count = names.num_rows
    version = np.concatenate([np.zeros(0, np.int64), *gathered.version])
    rank = np.concatenate([np.zeros(0, np.int64), *gathered.rank])
    table = pa.concat_tables([SETTLED.empty_table(), *gathered.tables]).combine_chunks()
    stamps = one_chunk(pa.chunked_array(gathered.fetched_at, SETTLED.field("fetched_at").type))
    via = one_chunk(pa.chunked_array(gathered.via, pa.string()))
    # Several licences of one origin stand in the order of their URLs.
    names_of = pa.table({"version": version, "rank": rank, "name": table.column("name")})
    order = pc.sort_indices(names_of, [(name, "ascending") for name in names_of.column_names])
    table = table.take(order).combine_chunks()
    version, rank = version[order.to_numpy()], rank[order.to_numpy()]
    stamps, via = stamps.take(order), via.take(order)
    starts = np.searchsorted(version, np.arange(count + 1))

    is_file = rank > UNREAD_RANK
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
        "outcome": pa.DictionaryArray.from_arrays(one_chunk(outcome), pa.array(OUTCOMES)),
        "truncated": pc.fill_null(table.column("truncated").take(spoken), pa.scalar(value=False)),
        "redirected_to": via.take(spoken),
        "unread": _unread(table, version, is_file, count),
        "files": _files(table.set_column(SETTLED.get_field_index("fetched_at"), "fetched_at", stamps), is_file, before),
        "sets": _sets(one_chunk(table.column("sets")), file_number, starts),
    }
    arrays = [one_chunk(columns[one.name]).cast(one.type) for one in INDEX]
    statements = _said(one_chunk(said), one_chunk(file_name), one_chunk(table.column("sha256")), starts)
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
    flat = pa.StructArray.from_arrays([one_chunk(columns[one.name]).cast(one.type) for one in FILE], fields=list(FILE))
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


def one_chunk(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column as one array."""
    if isinstance(column, pa.Array):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.chunks else pa.array([], column.type)
