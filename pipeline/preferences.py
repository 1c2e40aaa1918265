"""By what copies may be put in order: whole numbers that are known of every document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from lauter.pipeline.comparing import Preference
from lauter.pipeline.faults import nearest

ALWAYS_KNOWN = frozenset({"priority", "fetched_at", "chars"})


def preference_faults(prefers: Sequence[Preference], scores: Mapping[str, pa.DataType]) -> Iterator[str]:
    """What is wrong with an order of preference; `scores` are the score columns that stages have written before."""
    known = ALWAYS_KNOWN.union(name for name, kind in scores.items() if _is_number(kind))
    for name in [preference.column for preference in prefers if preference.column not in known]:
        if name in scores:
            yield f"prefers by column {name!r}, which is {scores[name]} and no whole number"
        else:
            hint = nearest(name, sorted(known))
            yield f"prefers by column {name!r}, which no earlier stage writes as a score{hint}"


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_boolean(kind))
