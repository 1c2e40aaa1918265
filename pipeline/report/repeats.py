"""What a report says of substrings that were removed while the shards were packed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lauter.pipeline.contract import ReportSection


def repeats_section(repeats: Mapping[str, Any] | None) -> ReportSection | None:
    """The section, from `graph.packing.repeat_counts`; None where none were looked for."""
    if repeats is None:
        return None
    before = repeats["left"] + repeats["removed"]
    share = repeats["removed"] / before if before else 0.0
    return ReportSection(
        "Repeated substrings",
        (
            f"Substrings of {repeats['window']} tokens that stood before in the same run of a shard, which is some 8 "
            f"million tokens of one stream, were removed: {repeats['removed']:,} of {before:,} tokens ({share:.2%}), "
            f"from {repeats['documents']:,} documents. Repeats in other runs stay.",
        ),
    )
