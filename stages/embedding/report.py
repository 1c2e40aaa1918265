"""What the heads did, for the report and for section 3.3 of the public summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from lauter.pipeline.contract import ReportSection, ReportTable
from lauter.stages.embedding.config import Decision, EmbeddingConfig, Limits

STAGE = "embedding"
LISTED = 30
"""Languages without a head that are listed by name, those with most records first."""


def embedding_report(summary: Mapping[str, Any], prepared: Mapping[str, int], config: EmbeddingConfig) -> ReportSection:
    """The section (`contract.ReportingStage`). `prepared`: an entry `head: language` for each that is judged."""
    dropped: Counter[str] = Counter()
    for row in summary["evidence"]["rules"]:
        if row["stage"] == STAGE:
            dropped[row["agent"]] += row["records"]
    languages = {label: counts["records"] for label, counts in summary["languages"].items() if label != "-"}
    judged: dict[str, set[str]] = {name: set() for name in config.heads}
    for entry in prepared:
        name, _, label = entry.rpartition(": ")
        judged.setdefault(name, set()).add(label)
    missing = {name: {label: n for label, n in languages.items() if label not in judged[name]} for name in config.heads}
    rows = tuple(
        (name, _told(config.decisions.get(name)), len(judged[name]), len(missing[name]), dropped[name])
        for name in config.heads
    )
    unjudged = tuple(
        (name, label, count)
        for name in config.heads
        for label, count in sorted(missing[name].items(), key=lambda item: (-item[1], item[0]))[:LISTED]
    )
    heads = ", ".join(config.heads)
    sentence = (
        f"Learned filters: one pass of an encoder fed the heads {heads}; {sum(dropped.values()):,} documents were"
        " dropped by their scores. A share is of the documents of a language that passed the hard decisions, copies"
        f" among them, and is taken of languages with {_least(config)} documents or more."
    )
    warnings = tuple(
        f"The head {name!r} knows none of {len(labels):,} languages with {sum(labels.values()):,} records"
        f" ({', '.join(sorted(labels, key=lambda label: (-labels[label], label))[:5])}"
        f"{', …' if len(labels) > 5 else ''}): their documents were not judged by it and were kept."
        for name, labels in missing.items()
        if labels and name in config.decisions
    )
    return ReportSection(
        "Learned scores",
        (sentence,),
        tables=(
            ReportTable("Heads", ("head", "kept are", "languages", "languages not judged", "documents dropped"), rows),
            ReportTable("Languages that a head does not know", ("head", "language", "records"), unjudged),
        ),
        answers={"3.3": (sentence,)},
        warnings=warnings,
    )


def _told(decision: Decision | None) -> str:
    """The limits of a head in words."""
    if decision is None:
        return "all (only scored)"
    words = _limits(decision)
    own = [f"{label}: {_limits(decision.of(label))}" for label in sorted(decision.languages)]
    return "; ".join([words, *own[:LISTED]])


def _limits(limits: Limits) -> str:
    told = {
        "probabilities from {}": limits.min_score,
        "probabilities up to {}": limits.max_score,
        "the best {} of a language": limits.keep_best,
        "the lowest {} of a language": limits.keep_lowest,
    }
    return ", ".join(words.format(value) for words, value in told.items() if value is not None) or "all"


def _least(config: EmbeddingConfig) -> str:
    return " or ".join(str(n) for n in sorted({d.min_documents for d in config.decisions.values()})) or "any number of"
