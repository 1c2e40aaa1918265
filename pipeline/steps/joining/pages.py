"""What a message calls a document by."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from lauter.pipeline import parquet
from lauter.pipeline.storage import Storage


def url_of(storage: Storage, path: str, row: int) -> str | None:
    """The URL of one row of a file of documents; None where it has none, or there is no such row."""
    for batch in parquet.batches(storage, path, ["row", "url"]):
        found = batch.filter(pc.equal(batch.column("row"), pa.scalar(row, pa.uint32())))
        if found.num_rows:
            url: str | None = found.column("url")[0].as_py()
            return url
    return None
