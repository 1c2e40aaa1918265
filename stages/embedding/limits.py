"""What a decision says of one language: the lowest and the highest score that is kept, and which limit set it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from lauter.pipeline.histograms import Histogram
from lauter.stages.embedding.config import Decision
from lauter.stages.log_odds import score_at
from lauter.stages.quantiles import BINS, key_of, least_kept, most_kept


class Bounds(NamedTuple):
    """Scores (`stages.log_odds`) from `low` to `high` are kept; each with the limit that set it."""

    low: int = 0
    why_low: str = ""
    high: int = BINS - 1
    why_high: str = ""


def bounds_of(decision: Decision, language: str, group: int, populations: Mapping[int, Histogram]) -> Bounds:
    """The bounds for a language; of several limits the strictest counts.

    Args:
        decision: What was decided for the head.
        language: A label, empty for documents without one.
        group: The place of the head.
        populations: Scores of the run (`stages.quantiles.populations`). A language with fewer documents than
            `min_documents` has no shares, and keeps what the absolute limits leave.
    """
    limits = decision.of(language)
    lows, highs = [(0, "")], [(BINS - 1, "")]
    if limits.min_score is not None:
        lows.append((score_at(limits.min_score), "min_score"))
    if limits.max_score is not None:
        highs.append((score_at(limits.max_score), "max_score"))
    population = populations.get(key_of(language, group))
    if population is not None and population.documents >= decision.min_documents:
        if limits.keep_best is not None:
            lows.append((least_kept(population, limits.keep_best), "keep_best"))
        if limits.keep_lowest is not None:
            highs.append((most_kept(population, limits.keep_lowest), "keep_lowest"))
    return Bounds(*max(lows, key=lambda pair: pair[0]), *min(highs, key=lambda pair: pair[0]))
