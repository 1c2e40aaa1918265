"""The contract of a cutting stage: it names the passages of kept documents, and cuts those that stand elsewhere too.

A passage is a line, a paragraph, a sentence or whatever a stage makes of a text; passages with equal 64-bit keys are
equal. The stage signs the passages of each document, the engine brings equal keys together and says which occurrences
come again, and the stage decides what of each document is cut for it. Text is read to sign it, and again only for
documents that hold such an occurrence.

Which occurrences come again depends on neither files nor workers: occurrences of one key are ordered by the shuffle
hash of their document (`identity.shuffle_order`, xxh3-64 of seed and doc_id), then by their place in it, and all but
the first `keeps` come again. So what stays is what a trainer reads first. Two documents with the same 64-bit hash and
one passage at one place count as one place: both stay, or both are cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline.contract import StageConfig

ONLY_REPEATED = "only-repeated-passages"
"""The ledger's reason for a document of which too little is left."""


@dataclass(frozen=True, slots=True)
class Passages:
    """m passages of a batch of documents, in any order; they may overlap. Positions are code points of `text`."""

    row: NDArray[np.int64]
    """Shape (m,): the document of each, in the batch."""
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    """Shape (m,): half-open ranges below 2**32."""
    key: NDArray[np.uint64]
    """Shape (m,): passages of equal key are equal. Spread evenly over 64 bits."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """m occurrences that come again, in order of document, start and end."""

    row: NDArray[np.int64]
    """Shape (m,): the document of each, in the batch."""
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    """Shape (m,): as `Passages` had them."""
    occurrences: NDArray[np.int64]
    """Shape (m,): how often the passage stands in all kept documents, the first ones counted."""


@dataclass(frozen=True, slots=True)
class Cuts:
    """What a stage cuts of a batch of n documents: k ranges of code points."""

    row: NDArray[np.int64]
    """Shape (k,): rising."""
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    """Shape (k,): half-open, not empty, rising within a document and without overlap. What is left of a text is the
    text without these ranges and nothing else: a stage that wants tidy seams cuts the white space too."""
    dropped: NDArray[np.bool_]
    """Shape (n,): too little is left, the whole document goes. One of which nothing is left goes anyhow."""


class CuttingStage(Protocol):
    """A stage that cuts passages. Constructed as `Stage(config, context)`; `reads_for` as for a map stage."""

    name: ClassVar[str]
    version: ClassVar[int]
    Config: ClassVar[type[StageConfig]]
    reads: ClassVar[tuple[str, ...]]
    """Columns of a document that `sign` and `cut` see, `text` among them."""

    def sign(self, batch: pa.RecordBatch) -> Passages:
        """The passages of each document of a batch."""
        ...

    @classmethod
    def keeps(cls, config: Any) -> int:  # noqa: ANN401 - the stage's own Config
        """How many occurrences of a passage stay in the corpus; at least 1."""
        ...

    def cut(self, batch: pa.RecordBatch, repeated: Repeated) -> Cuts:
        """What is cut of documents that each hold a repeated passage or more."""
        ...
