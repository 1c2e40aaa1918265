"""One statement of a page as it stands there, before its meaning is read."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from lauter.pipeline.schema import SIGNAL

PAGE_SIGNAL = pa.schema([field for field in SIGNAL if field.name != "doc_id"])
"""`schema.SIGNAL` without `doc_id`; `row` is the index in the batch."""

VALUE_LIMIT = 1_000
"""Code points of a value that are kept."""


class PageSignal(NamedTuple):
    """The columns of `PAGE_SIGNAL` after `row`."""

    place: str
    name: str
    value: str
    position: int
