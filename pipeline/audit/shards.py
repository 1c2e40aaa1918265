"""Token shards against the ledger: the kept rows and the rows of the shards are the same, at the same places.

For each row group of each shard, the rows that the ledger places in it and the rows that stand there are counted, and
the 128-bit hashes of (doc_id, row, tokens, removed) are added up modulo 2^128. Equal count and sum: the same set of
rows. Memory is 16 bytes and a count a row group, whatever the size of the corpus. A removed row keeps its place and its
length, and holds padding alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash
from numpy.typing import NDArray

from lauter.pipeline.audit.files import PartFiles
from lauter.pipeline.audit.findings import AuditReport, counted
from lauter.pipeline.audit.index import CorpusIndex
from lauter.pipeline.audit.loss_spans import loss_columns, loss_problem
from lauter.pipeline.audit.tables import row_groups
from lauter.pipeline.storage import Output, Storage, StorageError
from lauter.pipeline.takedown.blank import REMOVED, shard_rows
from lauter.pipeline.takedown.mask import pad_id

TOKEN_INDEX = "tokens/index.json"
SHARD = re.compile(r"tokens/([^/]+)/(\d+)\.parquet")

ROW_BITS = 40
"""(shard, row) as one int64: 2^23 shards of 2^40 rows each."""

_HASHED = np.dtype([("doc_id", "V16"), ("row", "<i8"), ("tokens", "<i4"), ("removed", "?")])
_SIZES = ("rows", "tokens", "of")
_PLACED = ("doc_id", "verdict", "stream", "shard", "row", "tokens")


class _Shards:
    """Where each row group of the intact shards begins, and what the ledger places in it."""

    def __init__(self, storage: Storage, listed: list[Output], intact: set[str]) -> None:
        self.listed: dict[tuple[str, int], Output] = {}
        self.number: dict[tuple[str, int], int] = {}
        self.outputs: list[Output] = []
        starts: list[int] = []
        self.first_group: list[int] = []
        for output in listed:
            match = SHARD.fullmatch(output.path)
            if match is None:
                continue
            key = (match[1], int(match[2]))
            self.listed[key] = output
            if output.path in intact:
                self.first_group.append(len(starts))
                base = len(self.outputs) << ROW_BITS
                rows = _group_rows(storage, output.path)
                starts += [base + int(start) for start in np.cumsum([0, *rows])[:-1]]
                self.number[key] = len(self.outputs)
                self.outputs.append(output)
        self.first_group.append(len(starts))
        self.starts = np.array(starts, np.int64)
        self.rows = np.array([output.rows for output in self.outputs], np.int64)
        self.count = [0] * len(starts)
        self.sum = [0] * len(starts)
        self.beyond: Counter[str] = Counter()
        self.absent: Counter[tuple[str, int]] = Counter()

    def place(self, table: pa.Table) -> None:
        """Add ledger rows that have a place."""
        stream = table.column("stream").cast(pa.string()).combine_chunks().dictionary_encode()
        names = stream.dictionary.to_pylist()
        row = table.column("row").to_numpy()
        keys = stream.indices.to_numpy().astype(np.int64) << 32 | table.column("shard").to_numpy().astype(np.int64)
        distinct, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
        number = np.full(len(distinct), -1, np.int64)
        for index, (code, count) in enumerate(zip(distinct.tolist(), counts.tolist(), strict=True)):
            key = (names[code >> 32], code & 0xFFFFFFFF)
            if key in self.number:
                number[index] = self.number[key]
            elif key not in self.listed:
                self.absent[key] += count
        shard = number[inverse]
        known = shard >= 0
        inside = known & (row >= 0) & (row < self.rows[shard] if len(self.rows) else known)
        for index in shard[known & ~inside].tolist():
            self.beyond[self.outputs[index].path] += 1
        group = np.searchsorted(self.starts, (shard[inside] << ROW_BITS) | row[inside], "right") - 1
        chosen = table.filter(pa.array(inside))
        removed = _is(chosen, REMOVED)
        values = _hashes(chosen.column("doc_id"), row[inside], chosen.column("tokens"), removed)
        for index, value in zip(group.tolist(), values, strict=True):
            self.count[index] += 1
            self.sum[index] += value


def check_shards(
    storage: Storage, index: CorpusIndex, parts: list[PartFiles], intact: set[str], report: AuditReport
) -> None:
    """Compare the ledger with every intact shard; where a ledger part is not intact, the shards cannot be compared."""
    listed = index.outputs("tokens")
    report.violations += [
        f"{output.path}: is in the list of tokens, but has not the name of a shard"
        for output in listed
        if SHARD.fullmatch(output.path) is None
    ]
    ledgers = [part.files["ledger"] for part in parts if "ledger" in part.files]
    if len(ledgers) < len(index.inputs):
        report.notes.append("the token shards are not compared with the ledger: not all of its parts are intact")
        return
    try:
        shards = _Shards(storage, listed, intact)
        for output in ledgers:
            _read_places(storage, output.path, shards, report)
    except StorageError as error:
        report.violations.append(str(error))
        return
    for path, count in sorted(shards.beyond.items()):
        report.violations.append(f"{path}: the ledger places {counted(count, 'row')} behind its end")
    for (stream, number), count in sorted(shards.absent.items()):
        report.violations.append(
            f"the ledger places {counted(count, 'row')} in shard {number} of {stream}, which is not there"
        )
    for number, output in enumerate(shards.outputs):
        try:
            report.violations.extend(_compare(storage, output, number, shards))
        except StorageError as error:
            report.violations.append(str(error))


def _read_places(storage: Storage, path: str, shards: _Shards, report: AuditReport) -> None:
    for group, table in enumerate(row_groups(storage, "ledger", path, *_PLACED)):
        # What was removed had a place only if it was kept before, so it has all of one or nothing.
        removed = _is(table, REMOVED)
        wanted = _is(table, "kept") | (removed & pc.is_valid(table.column("row")).to_numpy())
        placed = wanted
        for name in ("stream", "shard", "row", "tokens"):
            valid = pc.is_valid(table.column(name)).to_numpy()
            if not np.array_equal(valid, wanted):
                report.violations.append(f"{path}: row group {group}: not exactly the kept rows have a {name}")
            placed = placed & valid
        if placed.any():
            shards.place(table.filter(pa.array(placed)))


def _compare(storage: Storage, output: Output, number: int, shards: _Shards) -> Iterator[str]:
    start = 0
    pad = pad_id(storage)
    columns = ["doc_id", "length", "tokens", "removed", *loss_columns(storage, output.path)]
    for group, table in enumerate(row_groups(storage, "tokens", output.path, *columns)):
        place = shards.first_group[number] + group
        row = np.arange(start, start + table.num_rows, dtype=np.int64)
        removed = table.column("removed").to_numpy()
        total = sum(_hashes(table.column("doc_id"), row, table.column("length"), removed))
        if shards.count[place] != table.num_rows:
            yield (
                f"{output.path}: row group {group} has {counted(table.num_rows, 'row')}, the ledger places "
                f"{shards.count[place]} in it"
            )
        elif (total - shards.sum[place]) % (1 << 128):
            yield f"{output.path}: row group {group} is not what the ledger says"
        if not np.array_equal(
            pc.list_value_length(table.column("tokens")).to_numpy(), table.column("length").to_numpy()
        ):
            yield f"{output.path}: row group {group} has rows whose length is not their number of tokens"
        elif (problem := loss_problem(table)) is not None:
            yield f"{output.path}: row group {group} has {problem}"
        elif removed.any() and not shard_rows(table, removed, pad).equals(table):
            yield f"{output.path}: row group {group} has removed rows that hold more than padding"
        start += table.num_rows


def _is(table: pa.Table, verdict: str) -> NDArray[np.bool_]:
    flags: NDArray[np.bool_] = pc.equal(table.column("verdict").cast(pa.string()), verdict).to_numpy()
    return flags


def _hashes(
    doc_id: pa.ChunkedArray, row: NDArray[np.int64], tokens: pa.ChunkedArray, removed: NDArray[np.bool_]
) -> Iterator[int]:
    """XXH3-128 of each (doc_id, row, tokens, removed), 29 bytes little-endian."""
    record = np.empty(len(row), _HASHED)
    start = 0
    for chunk in doc_id.chunks:
        ids = np.frombuffer(chunk.buffers()[1], "V16")[chunk.offset : chunk.offset + len(chunk)]
        record["doc_id"][start : start + len(chunk)] = ids
        start += len(chunk)
    record["row"], record["tokens"], record["removed"] = row, tokens.to_numpy(), removed
    data = record.tobytes()
    for place in range(0, len(data), _HASHED.itemsize):
        yield xxhash.xxh3_128_intdigest(data[place : place + _HASHED.itemsize])


def _group_rows(storage: Storage, path: str) -> list[int]:
    metadata = _metadata(storage, path)
    return [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]


def _metadata(storage: Storage, path: str) -> pq.FileMetaData:
    try:
        with storage.open(path) as source:
            return pq.read_metadata(source)
    except (pa.ArrowException, OSError) as error:
        raise StorageError(f"{path}: its footer cannot be read: {error}") from error


def check_token_index(storage: Storage, index: CorpusIndex, intact: set[str], report: AuditReport) -> None:
    """tokens/index.json and the shards' own metadata name the layout and the files that corpus.json names."""
    for output in index.outputs("tokens"):
        if output.path in intact:
            metadata = _metadata(storage, output.path).metadata or {}
            if metadata.get(b"lauter.layout_id") != index.layout_id.encode():
                report.violations.append(f"{output.path}: was packed for another layout_id than corpus.json has")
            match = SHARD.fullmatch(output.path)
            if match is not None and metadata.get(b"lauter.stream") != match[1].encode():
                report.violations.append(f"{output.path}: was packed for another stream than its folder is named after")
    if TOKEN_INDEX not in intact:
        if all(output.path != TOKEN_INDEX for kind in index.files for output in index.outputs(kind)):
            report.violations.append(f"corpus.json: {TOKEN_INDEX} is in none of its lists")
        return
    data = storage.read_json(TOKEN_INDEX)
    for name in ("layout_id", "lineage"):
        if isinstance(data, dict) and name in data and data[name] != getattr(index, name):
            report.violations.append(f"{TOKEN_INDEX}: has another {name} than corpus.json")
    try:
        named = sorted(_shard_entries(data))
        sizes = {name: {key: stream[key] for key in _SIZES} for name, stream in data["streams"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        report.violations.append(f"{TOKEN_INDEX}: has not the form of an index: {error!r}")
        return
    if named != sorted((output.path, output.size, output.sha256, output.rows) for output in index.outputs("tokens")):
        report.violations.append(f"{TOKEN_INDEX}: does not list the shards that corpus.json lists")
    if sizes != index.streams:
        report.violations.append(f"{TOKEN_INDEX}: says something else of the streams than corpus.json")


def _shard_entries(data: Any) -> Iterator[tuple[str, int, str, int]]:  # noqa: ANN401 - JSON of any form
    for stream in data["streams"].values():
        for shard in stream["shards"]:
            yield shard["path"], shard["size"], shard["sha256"], shard["rows"]
