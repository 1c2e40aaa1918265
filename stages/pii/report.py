"""What the stage for personal data did, for the report and for section 3.3 of the public summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from lauter.pipeline.contract import ReportSection, ReportTable
from lauter.stages.pii.config import PiiConfig


def pii_report(summary: Mapping[str, Any], config: PiiConfig) -> ReportSection:
    """The section (`contract.ReportingStage`)."""
    ended = sum(row["ended"] for row in summary["funnel"] if row["stage"] == "pii")
    entities = [*config.entities, *(["name"] if config.names else [])]
    by = "placeholders" if config.replacement == "placeholder" else "invented values of the same form"
    replaced = f"Personal data in text and titles was replaced by {by}: {', '.join(entities)}."
    removed: Counter[str] = Counter()
    for types in summary["personal_data"].values():
        removed.update(types)
    ranked = sorted(removed.items(), key=lambda item: (-item[1], item[0]))
    return ReportSection(
        "Personal data",
        (replaced, f"{ended:,} documents were dropped because they could not be cleaned or were mostly placeholders."),
        (("looked for", ", ".join(entities)), ("removed from kept documents", removed.total())),
        (ReportTable("Removed from the texts and titles of kept documents", ("type", "times"), tuple(ranked)),)
        if ranked
        else (),
        answers={"3.3": (replaced,)},
    )
