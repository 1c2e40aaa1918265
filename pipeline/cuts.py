"""What cuts do to texts and to spans in them: ranges of code points that go, whole batches at a time.

Cuts are three arrays of shape (k,): `row`, `start` and `end`, half-open ranges of code points, in order and without
overlap within a text.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.pipeline import schema

Indexes = NDArray[np.int64]

_ROW_BITS = 32
"""A place in a batch as one number: the row in the high, the code point in the low 32 bits."""


def code_points(text: pa.LargeStringArray) -> Indexes:
    """The length of each text in code points, shape (n,): its bytes that continue none (RFC 3629, section 3)."""
    lengths: Indexes = pc.utf8_length(text).to_numpy(zero_copy_only=False).astype(np.int64)
    return lengths


def problem(row: Indexes, start: Indexes, end: Indexes, lengths: Indexes) -> str | None:
    """What is wrong with cuts of texts of some lengths in code points, in words; None: nothing."""
    if not len(row) == len(start) == len(end):
        return f"they are {len(row)} rows, {len(start)} starts and {len(end)} ends"
    if not len(row):
        return None
    if (np.diff(row) < 0).any() or row[0] < 0 or row[-1] >= len(lengths):
        return "their rows do not rise within the batch"
    if (start < 0).any() or (end <= start).any() or (end > lengths[row]).any():
        return "one is empty or reaches out of its text"
    if ((np.diff(row) == 0) & (start[1:] < end[:-1])).any():
        return "two of one text overlap or are not in order"
    return None


def without(text: pa.LargeStringArray, row: Indexes, start: Indexes, end: Indexes) -> pa.LargeStringArray:
    """Texts without what is cut. Memory: about 12 bytes a byte of text, so callers hand over a few MB at once."""
    if not len(row):
        return text
    offsets = np.frombuffer(text.buffers()[1], np.int64)[text.offset : text.offset + len(text) + 1]
    data = np.frombuffer(text.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    offsets = offsets - offsets[0]
    # The byte at which each code point begins; the last entry is the end of all.
    begins = np.append(np.flatnonzero((data & 0xC0) != 0x80), len(data))
    first = np.searchsorted(begins, offsets[:-1])[row]
    step = np.zeros(len(data) + 1, np.int8)
    step[begins[first + start]] += 1
    step[begins[first + end]] -= 1
    stays = np.cumsum(step[:-1], dtype=np.int8) == 0
    left = np.concatenate([[0], np.cumsum(stays, dtype=np.int64)])[offsets]
    return pa.LargeStringArray.from_buffers(len(text), pa.py_buffer(left), pa.py_buffer(data[stays].tobytes()))


def moved(spans: pa.ListArray, row: Indexes, start: Indexes, end: Indexes) -> pa.ListArray:
    """Spans (`schema.SPAN`) of texts as they stand after the cuts; one that loses a code point is none any more.

    A null list is an empty one. Spans keep their order.
    """
    flat = spans.flatten()
    counts = pc.fill_null(pc.list_value_length(spans), 0).to_numpy(zero_copy_only=False)
    own = np.repeat(np.arange(len(spans), dtype=np.int64), counts)
    base = own << _ROW_BITS
    begin, stop = (pc.struct_field(flat, name).to_numpy().astype(np.int64) for name in ("start", "end"))
    cut_start, cut_end = (row << _ROW_BITS) + start, (row << _ROW_BITS) + end
    before = np.searchsorted(cut_end, base + begin, "right")
    whole = np.searchsorted(cut_start, base + stop, "left") <= before
    gone = np.concatenate([[0], np.cumsum(end - start)])
    shift = (gone[before] - gone[np.searchsorted(cut_start, base, "left")])[whole]
    values = pa.StructArray.from_arrays(
        [
            pa.array((begin[whole] - shift).astype(np.int32)),
            pa.array((stop[whole] - shift).astype(np.int32)),
            pc.struct_field(flat, "type").filter(pa.array(whole)),
        ],
        fields=list(schema.SPAN),
    )
    offsets = np.concatenate([[0], np.cumsum(np.bincount(own[whole], minlength=len(spans)))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=pa.list_(schema.SPAN))
