"""What cutting passages did, for the report: counts and shares, and never a word of a passage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lauter.pipeline.contract import ReportSection, ReportTable
from lauter.stages.passages.config import PassagesConfig


def passages_report(cuts: Mapping[str, Any], config: PassagesConfig) -> ReportSection:
    """The section (`contract.ReportingStage`); `cuts` is what `graph.cutting.cut_counts` counted."""
    passage = config.unit if config.window == 1 else f"span of {config.window} {config.unit}s"
    share = cuts["cut_chars"] / cuts["chars"] if cuts["chars"] else 0.0
    stays = "the first one stays" if config.keep == 1 else f"the first {config.keep} stay"
    return ReportSection(
        "Repeated passages",
        (
            f"A {passage} of {config.min_words} words or more that stands more than once in the kept documents is cut; "
            f"{stays}, in the order in which the corpus is read.",
            f"{cuts['cut_chars']:,} of {cuts['chars']:,} characters ({share:.2%}) were cut: from "
            f"{cuts['documents']:,} documents that stay, and {cuts['dropped']:,} documents as a whole, of which fewer "
            f"than {config.min_left} words were left.",
        ),
        (
            ("passages compared", cuts["passages"]),
            ("different passages", cuts["distinct"]),
            ("of which repeated more often than stays", cuts["repeated"]),
            ("occurrences cut", cuts["occurrences"]),
        ),
        (
            ReportTable(
                "The most frequent passages",
                ("passage", "times", "characters"),
                tuple((f"no. {place}", times, chars) for place, (times, chars) in enumerate(cuts["most"], 1)),
            ),
        )
        if cuts["most"]
        else (),
    )
