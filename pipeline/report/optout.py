"""What owners' opt-outs did, gathered from the summary and from what the stage counted in its snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

STAGE = "optout"

REASONS = (
    "robots-disallow",
    "robots-unreachable",
    "robots-unparsable",
    "robots-missing",
    "robots-lost",
    "robots-forbidden",
)
"""Always reported, a zero too: that nothing was removed for a reason is an answer."""


def summarise_optout(corpus: Mapping[str, Any], funnel: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Pages checked, removed by reason, by agent and by host, and origins by outcome; None without the stage."""
    row = next((row for row in funnel if row["stage"] == STAGE and STAGE in corpus["order"]), None)
    if row is None:
        return None
    return {
        "checked": row["records"],
        "passed": row["records"] - row["ended"],
        "reasons": dict.fromkeys(REASONS, 0) | row["reasons"],
        "agents": corpus["summary"]["agents"],
        "hosts": corpus["summary"]["opted_out_hosts"],
        "origins": corpus["prepared"].get(STAGE, {}),
    }
