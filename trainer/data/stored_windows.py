"""How many windows best-fit makes of each row group, stored beside the corpus so that a run need not count them.

Which window lies where follows from these numbers; without them every process reads the lengths of all documents and
packs them before its first step: 10 minutes of a core for 10^12 tokens (0.4 ms to read a row group's lengths and 1.1
to 2 to pack them), and as long again at every restart. What a window holds is not stored: it is packed from the
lengths, which are read with the row group, at 3.8 * 10^9 tokens a second, while a stored plan would be 16 bytes a
part, as much as the text of a short sentence for every document, and slower to read than to make.

The file lies in the one folder of a corpus whose files are in no list. It says of which corpus it is: an equal
lineage means equal tokens, and a takedown leaves every length as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lauter.pipeline.storage import Storage, StorageError
from lauter.trainer.data.errors import DataError
from lauter.trainer.data.packing import PACKING_VERSION, PackedStream
from lauter.trainer.data.stream import Stream

SCHEMA = pa.schema(
    [
        pa.field("stream", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("row_group", pa.int32(), nullable=False),
        pa.field("windows", pa.int64(), nullable=False),
    ]
)


def windows_path(sequence_length: int) -> str:
    """Where the numbers for windows of a length lie in a run folder."""
    return f"state/windows/{sequence_length}.parquet"


def store_windows(storage: Storage, lineage: str, streams: Mapping[str, Stream], sequence_length: int) -> int:
    """Count and publish the windows of all row groups of a corpus; returns how many there are.

    `streams`: all shards of each stream, by the name that the corpus has for it.

    Raises:
        DataError: a shard can't be read. `StorageError`: the file can't be published.
    """
    path = windows_path(sequence_length)
    total = 0
    with storage.staging(path) as staged:
        schema = SCHEMA.with_metadata(_identity(lineage, sequence_length))
        with pq.ParquetWriter(staged, schema, compression="zstd") as writer:
            for name, stream in sorted(streams.items()):
                windows = PackedStream(stream, sequence_length, 0, 1).windows
                total += int(windows.sum())
                sizes = [len(shard.row_groups) for shard in stream.shards]
                writer.write_batch(_rows(name, windows, sizes))
    return total


def _rows(name: str, windows: NDArray[np.int64], sizes: list[int]) -> pa.RecordBatch:
    shards = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    groups = np.concatenate([np.empty(0, np.int32), *(np.arange(size, dtype=np.int32) for size in sizes)])
    stream = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(windows), np.int32)), pa.array([name], pa.string()))
    return pa.RecordBatch.from_arrays([stream, pa.array(shards), pa.array(groups), pa.array(windows)], schema=SCHEMA)


def stored_windows(
    storage: Storage, lineage: str, groups: Mapping[str, tuple[NDArray[np.int64], ...]], sequence_length: int
) -> dict[str, tuple[NDArray[np.int64], ...]] | None:
    """Windows of each row group of each shard, by stream; None where none are stored for this length.

    `groups`: tokens of each row group of each shard.

    Raises:
        DataError: the file is damaged, or of another state of the corpus.
    """
    path = windows_path(sequence_length)
    if storage.size(path) is None:
        return None
    mend = f"delete it, or run `lauter pack {storage.root} --length {sequence_length}` again"
    try:
        with storage.open(path) as source:
            table = pq.read_table(source, use_threads=False)
    except (StorageError, OSError, pa.ArrowException) as error:
        raise DataError([f"{storage.root}/{path}: can't be read ({error}); {mend}"]) from error
    if not table.schema.equals(SCHEMA) or table.schema.metadata != _identity(lineage, sequence_length):
        raise DataError([f"{storage.root}/{path}: was counted for another state of this corpus; {mend}"])
    stream, windows = table.column("stream").cast(pa.string()).combine_chunks(), table.column("windows").to_numpy()
    names = stream.dictionary_encode()
    number = names.indices.to_numpy()
    found: dict[str, tuple[NDArray[np.int64], ...]] = {}
    for index, name in enumerate(names.dictionary.to_pylist()):
        own, tokens = windows[number == index], groups.get(name, ())
        ends = np.cumsum([len(shard) for shard in tokens], dtype=np.int64)
        if not len(ends) or ends[-1] != len(own) or np.any(own * sequence_length < np.concatenate(tokens)):
            raise DataError([f"{storage.root}/{path}: does not fit the row groups of stream {name}; {mend}"])
        found[name] = tuple(np.split(own, ends[:-1]))
    return found


def _identity(lineage: str, sequence_length: int) -> dict[bytes, bytes]:
    values = {"lineage": lineage, "length": sequence_length, "packing": PACKING_VERSION}
    return {f"lauter.{key}".encode(): str(value).encode() for key, value in values.items()}
