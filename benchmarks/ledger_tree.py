"""The ledger's Merkle tree and its proofs: Lauter beside the plain way, on the same made-up ledger.

The plain way takes the rows one by one as Python dictionaries, writes each as JSON, holds all leaves and sorts them in
memory, which is what a script of an auditor does; it makes no proofs. Seconds are CPU seconds of one process.

    python benchmarks/ledger_tree.py [ROWS]          2,000,000 rows if not given, the plain way on the first 200,000
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lauter.pipeline import parquet, schema
from lauter.pipeline.origin import locate
from lauter.pipeline.proof.partition import merkle_root
from lauter.pipeline.proof.tree import tree_paths, tree_root
from lauter.pipeline.storage import Storage

PART_ROWS = 200_000
PROOFS = 100


def _binary(generator: np.random.Generator, rows: int, width: int) -> pa.Array:
    data = generator.integers(0, 256, (rows, width), dtype=np.uint8)
    return pa.Array.from_buffers(pa.binary(width), rows, [None, pa.py_buffer(data)])


def made_up(seed: int, rows: int) -> pa.Table:
    """Ledger rows as a web crawl has them: 6 of 10 kept, the rest dropped by a robots.txt, each with its evidence."""
    generator = np.random.default_rng(seed)
    dropped = generator.random(rows) > 0.6
    hosts = generator.integers(0, 5000, rows).tolist()
    when = pa.array(generator.integers(1_600_000_000, 1_700_000_000, rows), pa.timestamp("s", tz="UTC"))
    origin = pa.array(generator.integers(0, 1 << 63, rows).astype(np.uint64))
    digest = _binary(generator, rows, 32)

    def numbers(high: int, kind: pa.DataType, mask: NDArray[np.bool_] | None = None) -> pa.Array:
        return pa.array(generator.integers(0, high, rows), mask=mask).cast(kind)

    def words(yes: str | None, no: str | None) -> pa.Array:
        values = [no if item else yes for item in dropped.tolist()]
        return pa.array(values, pa.string()).dictionary_encode()

    rule = {"agent": "GPTBot", "signal": "robots", "line": 7, "text": "Disallow: /"}
    agents = pa.array([["CCBot", "GPTBot"]] * rows, schema.BASIS.field("agents").type)
    no_via, fetched = pa.nulls(rows, pa.string()), when.cast(pa.timestamp("ms", tz="UTC"))
    basis = [pa.array(["rules"] * rows), origin, no_via, digest, fetched, agents]
    columns = {
        "doc_id": _binary(generator, rows, 16),
        "source": words("web", "web"),
        "file": words(f"{seed}.warc.gz", f"{seed}.warc.gz"),
        "offset": numbers(1 << 30, pa.int64()),
        "length": numbers(1 << 16, pa.int64()),
        "url": pa.array([f"https://www.host{host}.example/a/page-{seed}-{row}.html" for row, host in enumerate(hosts)]),
        "origin_id": origin,
        "fetched_at": when,
        "verdict": words("kept", "dropped"),
        "stage": words(None, "optout"),
        "reason": words(None, "robots"),
        "rule": pa.array([rule if item else None for item in dropped.tolist()], schema.RULE),
        "basis": pa.StructArray.from_arrays(basis, fields=list(schema.BASIS)),
        "language": words("deu", "deu"),
        "script": words("Latn", "Latn"),
        "chars": numbers(9000, pa.int32()),
        "tokens": numbers(9000, pa.int32(), dropped),
        "text_sha256": digest,
        "stream": words("main", None),
        "shard": numbers(99, pa.int32(), dropped),
        "row": numbers(1 << 20, pa.int64(), dropped),
    }
    arrays = [columns[field.name] if field.name in columns else pa.nulls(rows, field.type) for field in schema.LEDGER]
    return pa.table(arrays, schema.LEDGER.names).cast(schema.LEDGER)


def plain_leaves(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """(key, leaf) of each row, one by one."""
    for batch in pq.ParquetFile(path).iter_batches():
        for row in batch.to_pylist():
            located = locate(row["url"])
            assert located is not None
            key = hashlib.sha256((located.origin + located.target).encode()).digest()
            text = json.dumps(row, default=str, sort_keys=True).encode()
            yield key, hashlib.sha256(b"\0" + key + text).digest()


def plain_root(paths: list[Path]) -> bytes:
    """The root of one tree over all rows in memory."""
    level = [leaf for _, leaf in sorted(pair for path in paths for pair in plain_leaves(path))]
    while len(level) > 1:
        pairs = [hashlib.sha256(b"\1" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        level = pairs + level[2 * len(pairs) :]
    return level[0]


def main(rows: int) -> None:
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as folder:
        storage = Storage(folder)
        paths = [f"ledger/{number}.parquet" for number in range(max(1, rows // PART_ROWS))]
        for seed, path in enumerate(paths):
            table = made_up(seed, min(rows, PART_ROWS))
            parquet.write(storage, path, schema.LEDGER, table.to_batches(max_chunksize=20_000))
        started = time.process_time()
        tree = merkle_root(storage, paths)
        ours = tree.rows / (time.process_time() - started)
        started = time.process_time()
        plain_root([Path(folder) / paths[0]])
        plain = min(rows, PART_ROWS) / (time.process_time() - started)
        print(f"{tree.rows:,} rows: Lauter {ours:,.0f} rows/s, the plain way {plain:,.0f}: {ours / plain:.1f} times")
        leaves = np.random.default_rng(1).integers(0, 256, (tree.ranges[0].leaves, 32), dtype=np.uint8)
        started = time.process_time()
        tree_root(leaves)
        nodes = len(leaves) / (time.process_time() - started)
        chosen = list(range(0, len(leaves), max(1, len(leaves) // PROOFS)))
        _, proved = tree_paths(leaves, chosen)
        deepest = max(len(path) for path in proved)
        print(
            f"{nodes:,.0f} nodes/s in a range; a path is at most {deepest} + {len(tree.ranges).bit_length() - 1} long"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000)
