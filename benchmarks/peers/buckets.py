"""datatrove's near duplicates: signatures of a part, buckets and clusters, as its MinHash pipeline runs them."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

from datatrove.data import Document
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupSignature

BUCKETS = 14
"""datatrove's default, of 8 hashes each."""

Place = tuple[int, int]
"""Part and row of a document."""


def sign(folder: Path, part: int, texts: Iterable[str]) -> None:
    """Leave the signatures of a part, over words between white space instead of spaCy's."""
    step = MinhashDedupSignature(output_folder=str(folder / "signatures"))
    step.word_tokenizer = SimpleNamespace(word_tokenize=str.split)
    step.run((Document(text=text, id="") for text in texts), part)


def cluster(folder: Path, *, ids: bool) -> None:
    """From signatures to the files of rows to remove, in one process; with `ids` to those of clusters too."""
    buckets = MinhashDedupBuckets(str(folder / "signatures"), str(folder / "pairs"))
    for bucket in range(BUCKETS):
        buckets.run(rank=bucket, world_size=BUCKETS)
    MinhashDedupCluster(str(folder / "pairs"), str(folder / "drop"), save_cluster_id=ids).run()


def dropped(folder: Path) -> dict[Place, Place]:
    """Document -> the one of its cluster that stays, where `cluster` left `ids`."""
    clusters: dict[Place, int] = {}
    for path in sorted((folder / "drop").glob("*.clusters")):
        pairs = struct.iter_unpack("<2I", path.read_bytes())
        clusters |= {(int(path.stem), row): number for row, number in pairs}
    removed = {
        (int(path.stem), row)
        for path in (folder / "drop").glob("*.remove")
        for (row,) in struct.iter_unpack("<I", path.read_bytes())
    }
    stays = {number: place for place, number in clusters.items() if place not in removed}
    return {place: stays[clusters[place]] for place in sorted(removed)}
