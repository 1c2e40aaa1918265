"""What the toxicity stage did, for the report and for section 3.2 of the public summary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lauter.pipeline.contract import ReportSection


def toxicity_report(summary: Mapping[str, Any], model: str, max_score: float) -> ReportSection:
    """The section (`contract.ReportingStage`)."""
    ended = sum(row["ended"] for row in summary["funnel"] if row["stage"] == "toxicity")
    how = {
        "lexicon": "the share of words that lists of swear words, slurs and insults in 29 languages hold",
        "detoxify": "the probability that a Detoxify classifier gives",
    }[model]
    filtered = f"Filter of abusive language: documents were scored by {how}; {ended:,} above {max_score} were dropped."
    return ReportSection(
        "Toxicity",
        (filtered,),
        (("model", model), ("documents dropped above", str(max_score))),
        answers={"3.2": (filtered,)},
    )
