"""A barrier stage that any pair can pass by each of the ways: texts are sets of words."""

from __future__ import annotations

import itertools
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray
from pydantic import Field

from lauter.pipeline.comparing import NO, OPEN, YES, Limits, Preference, Signed
from lauter.pipeline.contract import CorpusPath, StageConfig, StageContext
from lauter.pipeline.manifest import Catalogue
from tests.pipeline import mirror_stage

THRESHOLD = 0.5
"""Least Jaccard similarity of two copies."""


class SimilarConfig(StageConfig):
    """How documents are compared."""

    hubs: bool = False
    """Compare the items of a bucket with the smallest one only."""
    prefer: Literal["source", "longest"] = "source"
    removed: tuple[float, float] = Field(default=(0.0, 1.0), strict=False)
    largest_cluster: float = 1.0
    largest_cluster_documents: int = 10_000_000
    method: Literal["components", "smaller-neighbour"] = "components"
    against: tuple[CorpusPath, ...] = Field(default=(), strict=False)


def words_of(text: str) -> list[str]:
    """The set of words, sorted."""
    return sorted(set(text.split()))


def number(text: str) -> int:
    """64 bits of a text."""
    return xxhash.xxh3_64_intdigest(text)


def similar(left: set[int], right: set[int]) -> bool:
    """Whether two sets of words are copies."""
    return len(left & right) >= THRESHOLD * len(left | right)


class Similar:
    """Texts with one word in common meet; those of one length are judged by their words, others by their texts."""

    name: ClassVar[str] = "similar"
    version: ClassVar[int] = 1
    Config: ClassVar[type[StageConfig]] = SimilarConfig
    reads: ClassVar[tuple[str, ...]] = ("text", "url", "source")
    sketches: ClassVar[pa.Schema] = pa.schema(
        [pa.field("words", pa.uint32()), pa.field("some", pa.list_(pa.uint32(), 3))]
    )
    identities: ClassVar[tuple[str, ...]] = ("url", "payload")
    decision_fields: ClassVar[frozenset[str]] = frozenset(
        {"prefer", "removed", "largest_cluster", "largest_cluster_documents", "method"}
    )

    def __init__(self, config: SimilarConfig, context: StageContext) -> None:
        self._hubs = config.hubs

    def sign(self, batch: pa.RecordBatch) -> Signed:
        """Texts that say `alone` are compared with nothing."""
        texts = batch.column("text").to_pylist()
        words = [words_of(text) for text in texts]
        item = [0 if "alone" in some else number(" ".join(some)) for some in words]
        keys = [(row, number(word)) for row, some in enumerate(words) for word in some]
        some = [[*(number(word) >> 32 for word in found[:3]), 0, 0, 0][:3] for found in words]
        assert set(batch.column("source").to_pylist()) <= {"source-a", "source-b", "source-c"}
        identities = [[number(url) if url else 0, 0] for url in batch.column("url").to_pylist()]
        columns = [pa.array(map(len, words), pa.uint32()), pa.array(some, self.sketches.field("some").type)]
        return Signed(
            np.array(item, np.uint64),
            pa.RecordBatch.from_arrays(columns, schema=self.sketches),
            np.array([row for row, _ in keys], np.int64),
            np.array([key for _, key in keys], np.uint64),
            np.array(identities, np.uint64).reshape(-1, 2),
        )

    def pairs(self, key: NDArray[np.uint64], item: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """All of a bucket, or the smallest one with each other one."""
        found: list[tuple[int, int]] = []
        for one in np.unique(key):
            members = item[key == one].tolist()
            assert members == sorted(set(members)) and len(members) > 1
            found += [(members[0], m) for m in members[1:]] if self._hubs else itertools.combinations(members, 2)
        return np.array(found, np.uint64).reshape(-1, 2)

    def judge(self, left: pa.RecordBatch, right: pa.RecordBatch) -> NDArray[np.uint8]:
        """Equal sketches of few words are equal sets; more than twice as many words are no copy; else it is open."""
        assert left.schema == right.schema == self.sketches
        said = []
        for one, other in zip(left.to_pylist(), right.to_pylist(), strict=True):
            few, many = sorted((one["words"], other["words"]))
            said.append(YES if one == other and many <= 3 else NO if few < THRESHOLD * many else OPEN)
        return np.array(said, np.uint8)

    def evidence(self, batch: pa.RecordBatch) -> pa.ListArray:
        """Hashes of the words."""
        found = [[number(word) >> 32 for word in words_of(text)] for text in batch.column("text").to_pylist()]
        return pa.array(found, pa.list_(pa.uint32()))

    def compare(self, left: pa.ListArray, right: pa.ListArray) -> NDArray[np.bool_]:
        """By Jaccard similarity."""
        pairs = zip(left.to_pylist(), right.to_pylist(), strict=True)
        return np.array([similar(set(one), set(other)) for one, other in pairs], np.bool_)

    @classmethod
    def prefers(cls, config: SimilarConfig) -> tuple[Preference, ...]:
        """Source order, or the longest text first."""
        source = Preference("priority", "ascending")
        return (source,) if config.prefer == "source" else (Preference("chars", "descending"), source)

    @classmethod
    def method(cls, config: SimilarConfig) -> Literal["components", "smaller-neighbour"]:
        """As the parameters say."""
        return config.method

    @classmethod
    def limits(cls, config: SimilarConfig) -> Limits:
        """As the parameters say."""
        return Limits(config.removed, config.largest_cluster, config.largest_cluster_documents)


CATALOGUE = Catalogue(
    readers=mirror_stage.CATALOGUE.readers,
    stages=mirror_stage.CATALOGUE.stages,
    barriers={"similar": "tests.pipeline.similar_stage:Similar"},
    encoder=mirror_stage.CATALOGUE.encoder,
)
