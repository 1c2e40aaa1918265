"""The contract of dialogues: texts with marks (`schema.MARK`) where control tokens of the chat format stand.

A dialogue is one record, one document and one row of a shard, so that all that holds of a page holds of it. Its `text`
is what people and stages read: the turns, with white space between them. Its `marks` say which control tokens stand
there in the shard, and which texts carry loss. No text ever says so, so no text can forge a turn.

Three parts know of marks: the reader that makes them, a map stage that rewrites the text and moves them along, and the
encoder. Everything else sees a text.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


@runtime_checkable
class MarkedReader(Protocol):
    """A reader (`contract.Reader`) whose records have marks."""

    marked: ClassVar[frozenset[str]]
    """Names of the control tokens that its marks may have."""


@runtime_checkable
class MarkingStage(Protocol):
    """A map stage that rewrites `text` and keeps marks right: its verdict has the column `marks` where the batch does.

    The column is declared nowhere: documents have it where their reader gave it.
    """

    moves_marks: ClassVar[bool]


@runtime_checkable
class MarkingEncoder(Protocol):
    """An encoder (`contract.Encoder`) that knows control tokens of a chat."""

    @classmethod
    def controls(cls, config: Any) -> Collection[str]:  # noqa: ANN401 - the encoder's own Config
        """Names of the control tokens that marks may have. Raises ValueError for a tokenizer that can't be used."""
        ...

    def encode_marked(
        self, text: pa.LargeStringArray, spans: pa.ListArray | None, marks: pa.ListArray
    ) -> tuple[pa.ListArray, pa.ListArray]:
        """Token ids (list<uint32>) of each text, and what of them carries loss (`schema.LOSS_SPANS`).

        A text with marks has BOS first and nothing behind its last mark's tokens and text; one without (null) is what
        `encode` makes of it, and its loss spans are null.
        """
        ...


def is_marked(reader: object) -> bool:
    """Whether the records of a reader, or of a class of readers, have marks."""
    return bool(getattr(reader, "marked", frozenset()))


def mark_problem(marks: pa.ListArray, lengths: NDArray[np.int64]) -> str | None:
    """What is wrong with the marks of n texts of some lengths in code points, shape (n,); None: nothing."""
    flat = marks.flatten()
    if not len(flat):
        return None
    counts = pc.fill_null(pc.list_value_length(marks), 0).to_numpy(zero_copy_only=False)
    row = np.repeat(np.arange(len(marks), dtype=np.int64), counts)
    start, end = (pc.struct_field(flat, name).to_numpy().astype(np.int64) for name in ("start", "end"))
    if (start < 0).any() or (end < start).any() or (end > lengths[row]).any():
        return "a mark reaches out of its text"
    if ((np.diff(row) == 0) & (start[1:] < end[:-1])).any():
        return "two marks of one text overlap or are not in order"
    return None
