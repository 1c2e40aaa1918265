"""The last step of compiling: references over the whole snapshot are followed, and each origin becomes one row."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lauter.stages.optout.index.columns import Merged
from lauter.stages.optout.index.layout import AGENTS, INDEX, LOST, OUTCOMES, ROWS, SAID
from lauter.stages.optout.index.merge import merge
from lauter.stages.optout.index.settled import Settled
from lauter.stages.optout.index.terms import Terms

INDEX_FILE = "robots.arrow"
ORIGINS_FILE = "origins.parquet"

BATCH_ROWS = 1 << 15
"""Settled answers of a record batch, at most on average: 110 MB where every file is one of the 1,000 most visited
sites', a tenth of that on others. Batches are equal ranges of ids, so that an id leads to its batch."""

_ORIGINS = pa.schema(
    [field for field in INDEX if field.name not in ("sets", "files")] + [pa.field("statements", pa.large_list(SAID))]
)


def write_index(settled: Settled, out: Path, terms: Terms, counts: Counter[str]) -> None:
    """Write `robots.arrow` (`layout.INDEX`) and `origins.parquet` into the folder `out`, a batch at a time.

    Memory is bounded by one batch and the answers to which its redirects lead. The bytes depend on the settled rows
    alone, not on how they are cut into tables. Counted: `origins`, and of these (as they are in force last) each of
    OUTCOMES, `truncated`, `redirected`; `versions` (rows); `denying` (rows with any set); files by kind, and
    `statements`.
    """
    counts.update(dict.fromkeys(("origins", *OUTCOMES, "truncated", "redirected", "versions", "denying"), 0))
    counts.update(dict.fromkeys(("tdmrep.json", "ai.txt", "rsl", "statements"), 0))
    metadata = {LOST: str(counts["lost"]), AGENTS: json.dumps(terms.agents), ROWS: str(settled.rows)}
    schema = INDEX.with_metadata(metadata)
    with (
        pa.OSFile(str(out / INDEX_FILE), "wb") as sink,
        pa.ipc.new_file(sink, schema) as writer,
        pq.ParquetWriter(out / ORIGINS_FILE, _ORIGINS, compression="zstd") as origins,
    ):
        for merged in _batches(settled, terms):
            writer.write_batch(pa.RecordBatch.from_arrays(merged.index.columns, schema=schema))
            table = pa.Table.from_batches([merged.index.select(_ORIGINS.names[:-1])])
            origins.write_table(table.append_column(_ORIGINS.field("statements"), merged.statements))
            _count(merged, counts)


def batches_of(rows: int) -> int:
    """The number of record batches of an index: a power of two."""
    return 1 << max(0, -(-rows // BATCH_ROWS) - 1).bit_length()


def _batches(settled: Settled, terms: Terms) -> Iterator[Merged]:
    count = batches_of(settled.rows)
    for batch in range(count):
        first, end = ((1 << 64) // count * n for n in (batch, batch + 1))
        yield merge(settled, settled.slice(first, end), terms)


def _count(merged: Merged, counts: Counter[str]) -> None:
    index = merged.index
    last = index.filter(pa.array(merged.last))
    counts["origins"] += last.num_rows
    counts["versions"] += index.num_rows
    outcomes = np.bincount(last.column("outcome").indices.to_numpy(), minlength=len(OUTCOMES))
    counts.update({name: int(n) for name, n in zip(OUTCOMES, outcomes, strict=True)})
    counts["truncated"] += pc.sum(last.column("truncated")).as_py() or 0
    counts["redirected"] += last.num_rows - last.column("redirected_to").null_count
    counts["denying"] += int((last.column("sets").value_lengths().to_numpy() > 0).sum())
    kinds = np.bincount(last.column("files").flatten().field("kind").to_numpy(), minlength=4)
    counts.update({"tdmrep.json": int(kinds[1]), "ai.txt": int(kinds[2]), "rsl": int(kinds[3])})
    counts["statements"] += len(merged.statements.filter(pa.array(merged.last)).flatten())
