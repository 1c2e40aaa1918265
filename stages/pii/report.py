"""What the stage for personal data did, for the report and for section 3.3 of the public summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lauter.pipeline.contract import ReportSection


def pii_report(summary: Mapping[str, Any], entities: Sequence[str]) -> ReportSection:
    """The section (`contract.ReportingStage`)."""
    ended = sum(row["ended"] for row in summary["funnel"] if row["stage"] == "pii")
    replaced = f"Personal data in text and titles was replaced by placeholders: {', '.join(entities)}."
    return ReportSection(
        "Personal data",
        (replaced, f"{ended:,} documents were dropped because they could not be cleaned or were mostly placeholders."),
        (("looked for", ", ".join(entities)),),
        answers={"3.3": (replaced,)},
    )
