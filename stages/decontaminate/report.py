"""What decontamination did, for the report and for section 3.3 of the public summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from lauter.pipeline.contract import ReportSection, ReportTable

COUNTS = ("items", "matched as a whole", "too short")
"""What is counted of each benchmark when the index is compiled."""


def decontamination_report(
    summary: Mapping[str, Any],
    prepared: Mapping[str, int],
    names: Sequence[str],
    rule: str,
    ngram: int,
    limit: float | None,
) -> ReportSection:
    """The section (`contract.ReportingStage`). `limit`: the least ratio, or the most documents (`gpt3`)."""
    dropped: Counter[str] = Counter()
    for row in summary["evidence"]["rules"]:
        if row["stage"] == "decontaminate":
            dropped[row["agent"]] += row["records"]
    ended = sum(row["ended"] for row in summary["funnel"] if row["stage"] == "decontaminate")
    how = {
        "tulu": f"{ngram}-word runs that hold at least {limit} of an item's words",
        "blocks": f"a run of {ngram} words, and at least {limit} of an item's words in matching blocks",
        "gpt3": f"one {ngram}-word run of an item" + (f", of those in at most {limit} documents" if limit else ""),
    }[rule]
    sentence = (
        f"Decontamination: documents were compared with the items of {len(names)} benchmarks ({', '.join(names[:20])}"
        f"{', …' if len(names) > 20 else ''}); {ended:,} were dropped that share {how}."
    )
    rows: tuple[tuple[str | int, ...], ...] = tuple(
        (name, *(prepared.get(f"{name}: {count}", 0) for count in COUNTS), dropped[name]) for name in names
    )
    short = sum(row[3] for row in rows if isinstance(row[3], int))
    warnings = (
        (f"{short:,} benchmark items are shorter than `min_words` and were not looked for: lower it, or accept it.",)
        if rows and short > sum(row[1] for row in rows if isinstance(row[1], int)) / 2
        else ()
    )
    return ReportSection(
        "Decontamination",
        (sentence,),
        (("rule", rule), ("words of a run", ngram), ("n-grams of the benchmarks", prepared.get("n-grams", 0))),
        (ReportTable("Benchmarks", ("benchmark", *COUNTS, "documents dropped"), rows),),
        answers={"3.3": (sentence,)},
        warnings=warnings,
    )
