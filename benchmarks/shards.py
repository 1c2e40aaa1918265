"""Token shards on disk: Lauter's row groups beside flat files of ids, and beside what else Parquet's writer offers.

All hold the same real tokens, those of a corpus that `lauter build` has made, and are read until the ids of all
documents stand in memory; what is read is compared. `lauter`: the whole row, as `lauter build` writes it and as the
trainer reads it, in row groups of 4 M tokens. `.bin`: Megatron's file of 32-bit ids, `.ds`: datatrove's, which has the
same form above 65,536 entries; both read by numpy, mapped and copied, and in windows of 4,097 ids as their data sets
ask for them. The other lines are the column `tokens` alone. Files are in the page cache, so a flat file costs a copy;
`at 1 GB/s` is what a core delivers where the disk or the network gives it so much. Seconds are CPU seconds of the
process, the best of `PASSES`.

    python benchmarks/shards.py [RUN FOLDER]          default: out/all-pages
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lauter.pipeline import exchange, parquet, schema
from lauter.pipeline.storage import Storage
from lauter.trainer.data.shard import Shard, read_row_group

pa.set_cpu_count(1)

PASSES = 5
ROW_GROUP = 1 << 22
WINDOW = 4097
DISK = 1e9
TOKENS = pa.schema([schema.TOKENS.field("tokens")])
ENCODINGS = ("PLAIN", "DICTIONARY", "BYTE_STREAM_SPLIT", "DELTA_BINARY_PACKED")
CODECS = (("zstd", 1), ("zstd", 3), ("zstd", 9), ("lz4", None), ("snappy", None), ("none", None))

Ids = NDArray[np.uint32]


def rows_of(folder: Path) -> pa.Table:
    """All rows of a corpus, stream by stream; of one that was built before a column was new, that column is made up."""
    tables = [pq.read_table(path) for path in sorted((folder / "tokens").rglob("*.parquet"))]
    columns = []
    for field in schema.TOKENS:
        if all(field.name in table.column_names for table in tables):
            some = [chunk for table in tables for chunk in table.column(field.name).cast(plain(field.type)).chunks]
            column = pa.concat_arrays(some)
            columns.append(column.dictionary_encode().cast(field.type) if column.type != field.type else column)
        else:
            columns.append(pa.array(np.ones(sum(table.num_rows for table in tables), np.uint32)).cast(field.type))
    return pa.Table.from_arrays(columns, schema=schema.TOKENS)


def plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def spent(work: Callable[[], object]) -> float:
    """CPU seconds, the best of the passes."""
    found = []
    for _ in range(PASSES):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def row_group_ends(lengths: NDArray[np.int64]) -> list[int]:
    """Rows at which row groups of about `ROW_GROUP` tokens end."""
    full = np.flatnonzero(np.diff(np.cumsum(lengths) // ROW_GROUP, prepend=0)) + 1
    return sorted({*full.tolist(), len(lengths)})


def write_lauter(table: pa.Table, path: Path) -> None:
    with parquet.writer(path, table.schema) as writer:
        start = 0
        for end in row_group_ends(table.column("length").to_numpy().astype(np.int64)):
            writer.write_table(table.slice(start, end - start), row_group_size=end - start)
            start = end


def read_lauter(folder: Path, name: str) -> Ids:
    shard = Shard(Storage(str(folder)), name, 0, "", 0, 0, ())
    groups = pq.read_metadata(folder / name).num_row_groups
    return np.concatenate([read_row_group(shard, number, {"deu_Latn": 0}).tokens for number in range(groups)])


def write_column(table: pa.Table, path: Path, encoding: str, codec: str, level: int | None) -> None:
    dictionary = encoding == "DICTIONARY"
    settings = {} if dictionary else {"column_encoding": {"tokens.list.element": encoding}}
    with pq.ParquetWriter(
        path, TOKENS, compression=codec, compression_level=level, use_dictionary=dictionary, **settings
    ) as writer:
        writer.write_table(table.select(["tokens"]), row_group_size=table.num_rows)


def read_column(path: Path) -> Ids:
    with pa.memory_map(str(path)) as source:
        column = pq.ParquetFile(source).read_row_group(0, use_threads=False).column("tokens")
    ids: Ids = exchange.one_chunk(column).values.to_numpy()
    return ids


def windows(path: Path) -> Ids:
    ids = np.memmap(path, np.uint32, "r")
    return np.concatenate([np.array(ids[start : start + WINDOW]) for start in range(0, len(ids), WINDOW)])


def report(name: str, count: int, size: int, write: float | None, read: float) -> None:
    rate = count / read
    from_disk = min(rate, DISK * count / size)
    written = f"{count / write / 1e6:8.1f}" if write is not None else "       –"
    print(
        f"{name:30} {size / count:6.3f} B a token   writes {written} M/s   reads {rate / 1e6:8.1f} M/s   "
        f"at 1 GB/s {from_disk / 1e6:8.1f} M/s"
    )


def main() -> None:
    default = Path(__file__).parents[1] / "out" / "all-pages"
    table = rows_of(Path(sys.argv[1]) if len(sys.argv) > 1 else default)
    ids: Ids = exchange.one_chunk(table.column("tokens")).flatten().to_numpy()
    print(f"{len(ids):,} tokens in {table.num_rows:,} documents, {len(np.unique(ids)):,} different ids")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write = spent(lambda: write_lauter(table, folder / "lauter"))
        assert np.array_equal(read_lauter(folder, "lauter"), ids)
        read = spent(lambda: read_lauter(folder, "lauter"))
        report("lauter, whole rows", len(ids), (folder / "lauter").stat().st_size, write, read)
        write = spent(lambda: ids.tofile(folder / "flat"))
        flat: list[tuple[str, Callable[[], Ids]]] = [
            (".bin or .ds, copied", lambda: np.fromfile(folder / "flat", np.uint32)),
            (".bin or .ds, windows", lambda: windows(folder / "flat")),
        ]
        for name, work in flat:
            assert np.array_equal(work(), ids)
            report(name, len(ids), 4 * len(ids), write, spent(work))
        for encoding in ENCODINGS:
            for codec, level in CODECS:
                path = folder / "column"
                start = time.process_time()
                write_column(table, path, encoding, codec, level)
                write = time.process_time() - start
                assert np.array_equal(read_column(path), ids)
                name = f"{encoding.lower()}, {codec} {level or ''}"
                report(name, len(ids), path.stat().st_size, write, spent(partial(read_column, path)))


if __name__ == "__main__":
    main()
