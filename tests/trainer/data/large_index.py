"""A corpus of any number of shards on the disk of one, and what a process takes that opens it and reads here and there.

All shards are one file under many names (hard links), as every check that the trainer makes at the start allows: the
index lists each, and each has the footer that it should have.

    python -m tests.trainer.data.large_index FOLDER     prints a line of JSON
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import parquet, schema
from lauter.pipeline.storage import Storage
from lauter.trainer.data.corpus import open_corpora
from lauter.trainer.data.samples import Samples
from tests.trainer.data.corpora import BOS, EOS, publish, section, shards, write_corpus

GROUP_TOKENS = 1 << 22
"""As `sharding.tokens_per_row_group` is by default, and `GROUPS` as `sharding.tokens_per_shard`."""
GROUPS = 16
SHARD_TOKENS = GROUPS * GROUP_TOKENS
DOCUMENT = 1024
WINDOW = 4096


def group_tokens() -> NDArray[np.uint32]:
    """The tokens of each row group, shape (GROUP_TOKENS,): no window is like its neighbours."""
    place = np.arange(GROUP_TOKENS, dtype=np.uint32)
    tokens = 10 + (place * np.uint32(2654435761) >> np.uint32(7)) % np.uint32(149)
    tokens[::DOCUMENT], tokens[DOCUMENT - 1 :: DOCUMENT] = BOS, EOS
    return tokens


def write_large(folder: Path, count: int) -> int:
    """A corpus of `count` shards; returns its tokens."""
    storage = Storage(str(write_corpus(folder, {"main": shards(1, 1)})))
    index, corpus = storage.read_json("tokens/index.json"), storage.read_json("corpus.json")
    rows = GROUP_TOKENS // DOCUMENT
    lists = pa.ListArray.from_arrays(
        pa.array(np.arange(rows + 1, dtype=np.int32) * DOCUMENT),
        pa.array(group_tokens()),
        type=schema.TOKENS.field("tokens").type,
    )
    columns = {
        "doc_id": pa.array([bytes(16)] * rows, schema.DOC_ID),
        "source": pa.array(["web"] * rows).dictionary_encode(),
        "language": pa.array(["deu_Latn"] * rows).dictionary_encode(),
        "length": pa.array(np.full(rows, DOCUMENT, np.int32)),
        "copies": pa.array(np.ones(rows, np.uint32)),
        "tokens": lists,
        "removed": pa.array(np.zeros(rows, np.bool_)),
    }
    metadata = {
        "lauter.tokenizer": index["tokenizer"]["sha256"],
        "lauter.stream": "main",
        "lauter.layout_id": index["layout_id"],
    }
    kind = schema.TOKENS.with_metadata(metadata)
    batch = pa.RecordBatch.from_arrays([columns[name] for name in kind.names], schema=kind)
    first = "tokens/main/00000.parquet"
    with storage.staging(first) as staged:
        sink = parquet.ParquetSink(staged, kind, row_group_bytes=1 << 62)
        for _ in range(GROUPS):
            sink.write(batch)
            sink.cut()
        sink.close()
        entry = {**parquet.describe(staged, first).to_json(), "tokens": SHARD_TOKENS}
    entries = [{**entry, "path": f"tokens/main/{number:05d}.parquet"} for number in range(count)]
    for other in entries[1:]:
        os.link(storage.absolute(first), storage.absolute(other["path"]))
    index["streams"]["main"] = {"rows": count * GROUPS * rows, "tokens": count * SHARD_TOKENS, "shards": entries}
    publish(storage, index, corpus["files"]["other"], {"name": "large"})
    return count * SHARD_TOKENS


def main() -> None:
    """Open the corpus, read windows from all over three epochs, and say what it took."""
    start = time.process_time()
    data = section(Path(sys.argv[1]), sequence_length=WINDOW)
    samples = Samples(open_corpora(data), data, 1)
    opened = time.process_time() - start
    tokens = samples.order["streams"]["main"]["tokens"]
    windows = tokens // WINDOW
    pattern = group_tokens()
    numbers = [0, windows // 2, windows - 1, windows, 2 * windows - 1, 2 * windows + 12_345 % windows]
    start = time.process_time()
    for number in numbers:
        found = samples.batch([number]).tokens.numpy()
        within = number * WINDOW % GROUP_TOKENS
        assert (found == pattern[within : within + WINDOW]).all(), number
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
    print(
        json.dumps(
            {
                "tokens": tokens,
                "documents": tokens // DOCUMENT,
                "open_seconds": round(opened, 2),
                "seconds_a_sample": round((time.process_time() - start) / len(numbers), 3),
                "peak_bytes": peak,
            }
        )
    )


if __name__ == "__main__":
    main()
