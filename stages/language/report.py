"""The languages of a corpus: their scripts and families, and how much of it is in labels that are known well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from lauter.pipeline.contract import ReportPart, ReportSection, ReportTable, ReportWhole
from lauter.stages.language.labels import is_unidentified
from lauter.stages.language.labels.registry import describe
from lauter.stages.language.labels.support import LEVEL_WORDS, LEVELS, Support

UNKNOWN_FAMILY = "Family not known"

OTHER = "other"
"""Kind of a label that no table of support has, and of what is no language."""


def language_report(languages: Mapping[str, Mapping[str, int]], support: Mapping[str, Support]) -> ReportSection:
    """The section (`contract.ReportingStage`).

    Args:
        languages: `kept` documents and `tokens` of each label, as the summary of a corpus has them.
        support: What is known of the labels of the embedded model; empty where another model was used.
    """
    kept = {label: counts for label, counts in languages.items() if counts["kept"] and label != "-"}
    named = {label: describe(label) for label in kept}
    found = [label for label in kept if not is_unidentified(label)]
    documents = sum(counts["kept"] for counts in kept.values())
    scripts = {named[label].script for label in found}
    families = {named[label].family for label in found} - {""}
    sentences = [
        f"Labels with a kept document: {len(found):,}, in {len(scripts):,} scripts and of {len(families):,} families."
    ]
    if support:
        sentences.append(_shares(kept, support, documents))
    known = [(level, LEVEL_WORDS[level]) for level in LEVELS]
    kinds = [*known, (OTHER, "no language of the embedded model")] if support else [(OTHER, "identified")]
    parts = tuple(
        ReportPart(
            label,
            named[label].family or UNKNOWN_FAMILY,
            _level(label, support),
            counts["tokens"],
        )
        for label, counts in kept.items()
    )
    return ReportSection(
        "Languages",
        tuple(sentences),
        tables=(
            _table("By script", "script", {label: named[label].script for label in kept}, kept),
            _table("By family", "family", {label: named[label].family or UNKNOWN_FAMILY for label in kept}, kept),
        ),
        topic="languages",
        whole=ReportWhole("Languages by family", "tokens", tuple(kinds), parts),
        glossary={label: words.name for label, words in named.items()},
    )


def _level(label: str, support: Mapping[str, Support]) -> str:
    return support[label].level if label in support and not is_unidentified(label) else OTHER


def _shares(kept: Mapping[str, Mapping[str, int]], support: Mapping[str, Support], documents: int) -> str:
    """How much of the kept documents is in labels of each level."""
    counts: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    for label, numbers in kept.items():
        level = _level(label, support)
        counts[level] += numbers["kept"]
        labels[level] += 1
    well = counts["well"]
    thin = [
        f"{counts[level]:,} in {labels[level]:,} of the level “{LEVEL_WORDS[level]}”"
        for level in LEVELS
        if level != "well" and counts[level]
    ]
    rest = f", {counts[OTHER]:,} in none of its languages" if counts[OTHER] else ""
    # Rounded down: a part never reads as the whole.
    share = 1000 * well // documents / 10 if documents else 0.0
    return (
        f"{well:,} of {documents:,} kept documents ({share:.1f} %) are in {labels['well']:,} labels that the embedded "
        f"model supports well{''.join(', ' + words for words in thin)}{rest}."
    )


def _table(title: str, head: str, of: Mapping[str, str], kept: Mapping[str, Mapping[str, int]]) -> ReportTable:
    """Labels, kept documents and tokens of each group, most tokens first."""
    groups: dict[str, tuple[int, int, int]] = {}
    for label, counts in kept.items():
        labels, documents, tokens = groups.get(of[label], (0, 0, 0))
        groups[of[label]] = (labels + 1, documents + counts["kept"], tokens + counts["tokens"])
    order = sorted(groups, key=lambda name: (-groups[name][2], -groups[name][1], name))
    return ReportTable(title, (head, "languages", "documents", "tokens"), tuple((n, *groups[n]) for n in order))
