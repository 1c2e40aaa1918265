"""What the toxicity stage did, for the report and for section 3.2 of the public summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from typing import Any

from lauter.pipeline import schema
from lauter.pipeline.contract import ReportSection, ReportTable
from lauter.stages.toxicity.config import MAX_SCORE, ToxicityConfig

COLUMN = "toxicity_model"
MODELS = schema.CODES[COLUMN]
"""What the column counts from 1."""
LISTED = 30
"""Languages that nobody judged, those with most records first."""

_HOW = {
    "embedded": "a classifier trained on openly licensed posts in 11 languages, and by lists of swear words in 29",
    "lexicon": "the share of words that lists of swear words, slurs and insults in 29 languages hold",
    "detoxify": "the probability that a Detoxify classifier gives",
}


def toxicity_report(summary: Mapping[str, Any], judged: Set[str], config: ToxicityConfig) -> ReportSection:
    """The section (`contract.ReportingStage`). `judged`: labels of the languages that some model knows."""
    ended = sum(row["ended"] for row in summary["funnel"] if row["stage"] == "toxicity")
    how = _HOW[config.model]
    if config.model_file is not None:
        how = "a classifier of the maker's own, and by lists of swear words"
    if config.cascade is not None:
        how += f" where the embedded classifier finds between {config.cascade[0]} and {config.cascade[1]}"
    limit = _limit(config)
    filtered = f"Filter of abusive language: documents were scored by {how}; {ended:,} {limit} were dropped."
    records = {label: counts["records"] for label, counts in summary["languages"].items() if label != "-"}
    unjudged = {label: count for label, count in records.items() if label not in judged}
    order = sorted(unjudged, key=lambda label: (-unjudged[label], label))
    by_model: Counter[str] = Counter()
    for row in summary["evidence"]["rules"]:
        if row["stage"] == "toxicity":
            by_model[row["signal"].removeprefix("toxicity by ")] += row["records"]
    judged_by = {MODELS[code - 1]: count for code, count in summary["codes"].get(COLUMN, {}).items()}
    sentences = [filtered]
    if config.cascade is not None and judged_by:
        asked, spared = judged_by.get("detoxify", 0), judged_by.get("embedded", 0)
        sentences.append(
            f"Of {asked + spared:,} documents that were judged Detoxify was shown {asked:,} "
            f"({100 * asked / (asked + spared):.1f} %); the embedded classifier decided the others."
        )
    if unjudged:
        told = f"{', '.join(order[:5])}{', …' if len(order) > 5 else ''}"
        sentences.append(
            f"No model of toxicity knows {len(unjudged):,} languages with {sum(unjudged.values()):,} records ({told}): "
            "their documents were not judged, and none was dropped for it."
        )
    return ReportSection(
        "Toxicity",
        tuple(sentences),
        (
            ("model", config.model),
            ("documents dropped", limit),
            *((f"judged by {model}", f"{count:,}") for model, count in sorted(judged_by.items())),
            *((f"dropped by {model}", f"{count:,}") for model, count in sorted(by_model.items())),
        ),
        tables=(
            ReportTable(
                "Languages that were not judged", ("language", "records"),
                tuple((label, unjudged[label]) for label in order[:LISTED]),
            ),
        ) if unjudged else (),
        answers={"3.2": (filtered,)},
    )  # fmt: skip


def _limit(config: ToxicityConfig) -> str:
    """Which documents are dropped, and the population that a share is of."""
    parts = []
    if config.keep_lowest is not None:
        parts.append(
            f"beyond the lowest {100 * config.keep_lowest:g} % of their language (of the documents that passed the "
            f"hard decisions and were judged, copies among them; languages with {config.min_documents:,} or more)"
        )
    if config.keep_lowest is None or config.max_score is not None:
        most = MAX_SCORE[config.model] if config.max_score is None else config.max_score
        lists = (
            f" ({MAX_SCORE['lexicon']} of word lists)"
            if config.model == "embedded" and config.max_score is None
            else ""
        )
        parts.append(f"above {most}{lists}")
    return " or ".join(parts)
