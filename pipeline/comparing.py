"""The contract of a barrier stage: it compares all documents and says which of them are copies.

Documents are compared as *items*. An item is a 64-bit hash of all that a comparison of two documents may look at, so
documents with equal items are copies without a look; ten thousand copies of one text are one node of every graph.
What a stage leaves of a document are numbers: its item, keys under which similar items meet, a sketch of fixed size
from which most pairs can be judged, and identities that make documents copies whatever their texts are. Text is read
once to sign it, and again only for pairs that the sketches leave open.

The engine brings together, in this order: equal keys (`pairs`), the sketches of a pair (`judge`), the texts of those
that are still open (`evidence`, `compare`). Whatever was found to be a copy is an edge between two items; the engine
finds the connected components and chooses within each: in the stage's order of preference a document is kept unless it
has the item or an identity of one that is kept, or an edge to its item. So every document that is dropped was compared
with the one that stands for it, and no chain of near copies can carry a document away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline.contract import StageConfig

NO: Literal[0] = 0
YES: Literal[1] = 1
OPEN: Literal[2] = 2
"""What `judge` says of a pair; of an open one the texts decide."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What a barrier stage leaves of a batch of n documents."""

    item: NDArray[np.uint64]
    """Shape (n,). 0: the document is compared with nothing."""
    sketches: pa.RecordBatch
    """Of the stage's `sketches`, n rows; equal items have equal sketches."""
    row: NDArray[np.int64]
    """Shape (m,): the document of each key, in the batch."""
    key: NDArray[np.uint64]
    """Shape (m,): items that share a key may be similar. Spread evenly over 64 bits; the lowest bit is the engine's."""
    identities: NDArray[np.uint64]
    """Shape (n, len(stage.identities)): documents with the same number in a column are copies; 0 says nothing."""


class Preference(NamedTuple):
    """Which of several copies is kept: the first preference that tells two documents apart decides, then doc_id."""

    column: str
    """`priority` (the source's place in the manifest), `fetched_at`, `chars`, or the name of a score column."""
    order: Literal["ascending", "descending"]
    """A document without a value comes last in either order."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a build stops at, with a message: more often a fault of the set-up than of the pages."""

    removed: tuple[float, float] = (0.0, 1.0)
    """Share of the documents that nothing else objects to which may be copies: least and most."""
    largest_cluster: float = 1.0
    """Share of all documents that are compared, those that later go for other reasons and those of older corpora too,
    that one component may hold. It is known before the documents of a component are held together."""
    largest_cluster_documents: int = 10_000_000
    """Documents that one component may hold, whatever share that is. The tasks that choose hold a component whole,
    350 bytes a document while they sort it (measured at 4 million): 3.5 GB. Of 30 billion documents in 4,096 ranges a
    range has 7 million, so what is above is more than a task was cut for."""


class BarrierStage(Protocol):
    """A stage that compares documents. Constructed as `Stage(config, context)`; `reads_for` as for a map stage.

    A class may also have `decision_fields: frozenset[str]`, the config fields that only `prefers`, `limits` and
    `method` read: another value signs and compares nothing again. A field of `contract.CorpusPath` names older corpora
    to compare with, which the engine does: the stage never reads it. A classmethod `method(config)` gives `components`,
    the rule above, or `smaller-neighbour`, for more items than a union-find has room for (above 8e9: 40 GB): no
    component is built, and a document is dropped if any copy of it comes before it in the order of preference, even one
    that is dropped itself. So a chain may carry there, and what only met the hubs of a large bucket, or shares an
    identity with more than 64 items, may stay. A classmethod `similarity(left, right)` of two batches of p sketches
    gives an estimate of the similarity of each pair and its standard error, both float64 of shape (p,), NaN where the
    sketches do not tell; `lauter explain` asks it about near copies.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    Config: ClassVar[type[StageConfig]]
    reads: ClassVar[tuple[str, ...]]
    """Columns of a document that `sign` and `evidence` see; a classmethod `reads_for(config)` may say more.

    Besides what stages write: `url`, `fetched_at`, `source` (the name of the document's source) and `payload_hash`
    (xxh3-64 of its payload, null where a reader gives text)."""
    sketches: ClassVar[pa.Schema]
    """What `judge` sees of an item: columns of fixed width."""
    identities: ClassVar[tuple[str, ...]]
    """Names of the identities: the ledger's reason for a copy of this kind is `same-NAME`."""

    def sign(self, batch: pa.RecordBatch) -> Signed:
        """The signature of each document of a batch."""
        ...

    def pairs(self, key: NDArray[np.uint64], item: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Pairs of items that are to be compared, shape (p, 2), the smaller first; perhaps some more than once.

        `key`, `item`: shape (r,), sorted by key, then item; no row twice; all rows of their keys.
        """
        ...

    def judge(self, left: pa.RecordBatch, right: pa.RecordBatch) -> NDArray[np.uint8]:
        """`NO`, `YES` or `OPEN` for each pair of sketches, shape (p,)."""
        ...

    def evidence(self, batch: pa.RecordBatch) -> pa.ListArray:
        """Of each document what `compare` needs, list<uint32>; text is read here and in `sign` only."""
        ...

    def compare(self, left: pa.ListArray, right: pa.ListArray) -> NDArray[np.bool_]:
        """Whether each pair are copies, shape (p,)."""
        ...

    @classmethod
    def prefers(cls, config: Any) -> tuple[Preference, ...]:  # noqa: ANN401 - the stage's own Config
        """The order in which copies are kept."""
        ...

    @classmethod
    def limits(cls, config: Any) -> Limits:  # noqa: ANN401 - the stage's own Config
        """What a build stops at."""
        ...
