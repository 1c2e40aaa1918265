"""The output filter of a run folder: it learns the removed texts while they are still there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lauter.pipeline.filter.grams import hashes
from lauter.pipeline.filter.published import FilterBroken, FilterList, parse, salt_for
from lauter.pipeline.storage import Storage, StorageError
from lauter.pipeline.takedown.find import Found, Indexes

FILTER = "takedown/output-filter.json"


@dataclass(frozen=True, slots=True)
class Learned:
    """What the filter learned."""

    texts: int
    """Removed documents whose text was still there."""
    too_short: int
    """Those of them that are shorter than a gram, so that no filter can know them."""
    grams: int
    """Grams in the whole list now."""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data."""
        return {"texts": self.texts, "too_short": self.too_short, "grams": self.grams}


def publish_filter(storage: Storage, found: Found, lineage: str) -> Learned:
    """Add the grams of all texts that are about to be blanked to the run folder's filter, and publish it.

    `lineage` is the corpus's, of which a new filter gets its salt. Texts that are blank already add nothing, so doing
    it again changes nothing. Takes 8 bytes of memory a gram. Raises `StorageError` where the filter is broken.
    """
    known = _known(storage, lineage)
    texts = too_short = 0
    pending: list[np.ndarray[Any, np.dtype[np.uint64]]] = []
    for part in found.parts:
        for text in _texts(storage, f"documents/{part.part}.parquet", part.rows):
            grams = hashes(text, known.salt)
            texts += 1
            too_short += not len(grams)
            pending.append(grams)
        if pending:
            known, pending = known.joined(np.concatenate(pending)), []
    storage.write_json(FILTER, known.to_json())
    return Learned(texts, too_short, len(known.hashes))


def _known(storage: Storage, lineage: str) -> FilterList:
    if storage.size(FILTER) is None:
        return FilterList(salt_for(lineage), np.empty(0, np.uint64))
    try:
        return parse(storage.read(FILTER))
    except FilterBroken as error:
        raise StorageError(
            f"{storage.root}/{FILTER}: {error}; bring it back from a copy: the texts that it knows are gone"
        ) from error


def _texts(storage: Storage, path: str, rows: Indexes) -> Iterator[str]:
    if storage.size(path) is None:
        return
    with storage.open(path) as source:
        file = pq.ParquetFile(source)
        for group in range(file.num_row_groups):
            mask = np.isin(file.read_row_group(group, columns=["row"]).column("row").to_numpy(), rows)
            if mask.any():
                table = file.read_row_group(group, columns=["text"], use_threads=False).filter(pa.array(mask))
                yield from filter(None, table.column("text").to_pylist())
