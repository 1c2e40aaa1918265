"""Documents of a run as `pack` sorts them, without the substrings of ids that stood before in the run (`repeats`)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange
from lauter.pipeline.steps.repeats import repeated_spans, shortened


class Unrepeated(NamedTuple):
    """The same rows with what is left of their ids, and what that cost."""

    table: pa.Table
    documents: int
    """Rows that lost ids."""
    removed: int
    """Ids that went."""


def unrepeated(table: pa.Table, window: int, control: NDArray[np.uint32], whole: NDArray[np.bool_]) -> Unrepeated:
    """Remove from `tokens` every window of `window` ids that stood before, in the order of the rows.

    BOS and EOS, the first and last id of each row, and control ids are in no window: they stay, and a repeat that has
    one in it is looked for on both sides of it. A row of which nothing else is left keeps these. Rows of `whole` (n,)
    are compared with nothing. Memory: the ids once more, and what `repeated_spans` says.
    """
    lists = exchange.one_chunk(table.column("tokens"))
    offsets = lists.offsets.to_numpy().astype(np.int64)
    ids = lists.values.to_numpy()[offsets[0] : offsets[-1]]
    offsets -= offsets[0]
    lengths = np.diff(offsets)
    known = np.zeros(int(max(ids.max(initial=0), control.max(initial=0))) + 1, np.bool_)
    known[control] = True
    held = known[ids]
    held[offsets[:-1][lengths > 0]] = True
    held[offsets[1:][lengths > 0] - 1] = True
    held |= np.repeat(whole, lengths)
    spans = repeated_spans(ids, offsets, window, held)
    left, bounds = shortened(ids, offsets, spans)
    kind = table.schema.field("tokens").type
    tokens = pa.ListArray.from_arrays(pa.array(bounds.astype(np.int32)), pa.array(left, pa.uint32()), type=kind)
    column = table.schema.get_field_index("tokens")
    return Unrepeated(
        table.set_column(column, table.schema.field("tokens"), tokens),
        int((np.diff(bounds) < lengths).sum()),
        len(ids) - len(left),
    )
