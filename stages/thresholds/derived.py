"""Which thresholds are set by language, each by which method, and what a label's come to.

They are those that FineWeb-2 sets by language (arXiv:2506.20920, and its configs). The method of each is the one of
`limits.METHODS` whose values came nearest to FineWeb-2's published ones, in the median of the 11 languages that have at
least 60 documents among the public test pages (difference there beside each).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lauter.stages.quality import PUBLISHED
from lauter.stages.quality.rules import RULES, Rule
from lauter.stages.thresholds.histograms import Histograms
from lauter.stages.thresholds.limits import TAIL, Method, limit, quantile

ENGLISH = "eng_Latn"
LANGUAGE_SCORE = "language_score"
METHOD_OF: Mapping[str, Method] = {
    "min_mean_word_length": "median-ratio",  # 0.6 code points; the others 2.1 and more
    "max_mean_word_length": "median-ratio",  # 3.0; quantile 2.3, but 3.4 where there are only lines, and this one 2.9
    "min_alphabetic_word_ratio": "median-ratio",  # 0.014; the others 0.07 and more
    "max_duplicate_line_ratio": "median-ratio",  # 0.028; the others 0.07 and more
    "max_top_ngram_ratios": "median-ratio",  # 0.028, 0.010, 0.015; the others 0.09 and more
    "max_duplicate_ngram_ratios": "mean-std",  # 0.026 to 0.032; tail 0.08
    "min_line_punctuation_ratio": "median-ratio",  # 0.06; the others 0.09 and more
    "max_newline_ratio": "tail",  # 0.042; mean-std 0.049
}
MOST_DROPPED = 0.25
"""Share of a language's documents that one rule may drop of those that its threshold was made from. A ratio of medians
lands anywhere where a median is nearly 0; FineWeb-2's own values drop a fifth at most in any of the 11 languages."""
_PLACES = {1: 0, 100: 1, 10_000: 3}


def column(rule: Rule) -> str:
    """The name that `Histograms` has for the score of a rule."""
    return rule.score if rule.order is None else f"{rule.score}[{rule.order - rule.first_order}]"


DERIVED = tuple(rule for rule in RULES if rule.threshold in METHOD_OF)
"""The rules whose thresholds are set by language."""
COLUMNS = tuple(column(rule) for rule in DERIVED)
OF_LINES = tuple(rule for rule in DERIVED if rule.score == "mean_word_length")
"""Those that lines of text without the layout of a page say something of."""


def quality_of(
    histograms: Histograms,
    label: str,
    rules: tuple[Rule, ...] = DERIVED,
    method: Method | None = None,
    tail: float = TAIL,
) -> dict[str, Any]:
    """The quality thresholds of a label, rounded as FineWeb-2's are: one place for word lengths, else three.

    `method` is in place of each rule's own; `tail` is the share that the method `tail` drops. A rule of which the label
    has no score keeps its threshold.
    Raises `ValueError` as `limits.limit` does.
    """
    found: dict[str, Any] = {}
    for rule in rules:
        counts = histograms.of(label, column(rule))
        published = rule.limit(PUBLISHED)
        if counts is None or published is None:
            value = None
        else:
            chosen = method or METHOD_OF[rule.threshold]
            english = histograms.of(ENGLISH, column(rule))
            scaled = limit(chosen, rule.bound, counts, english, published, tail)
            most = quantile(counts, MOST_DROPPED, rule.bound)
            scaled = min(scaled, most) if rule.bound == "min" else max(scaled, most)
            value = round(scaled / rule.scale, _PLACES[rule.scale])
        if rule.order is None:
            if value is not None:
                found[rule.threshold] = value
        else:
            found.setdefault(rule.threshold, []).append(value)
    return {
        name: value
        for name, value in found.items()
        if not isinstance(value, list) or any(item is not None for item in value)
    }
