"""Scores of a trained model as whole numbers that are fine at both ends: log-odds in 1,024ths.

score = 32,768 + round(1,024 * logit), for logits from -16 to 16; 32,768 is a probability of 0.5, and a step there is
0.00025. Thresholds of quality and toxicity heads lie where ten-thousandths of a probability end: of Apertus's toxicity
heads the 95th percentile is .99944 in English and .9994 in French, and 5 % of a language would share seven values.
"""

from __future__ import annotations

from math import exp, inf, log

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import schema

STEPS = schema.LOG_ODDS_STEPS
HALF = schema.LOG_ODDS_HALF
MOST = 16
"""Logits beyond it count as this: a probability of 1 - 1.1e-7."""


def scores_of(logit: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Scores of logits (natural log-odds), half to even, any shape. Raises ValueError for one that is not a number."""
    if np.isnan(logit).any():
        raise ValueError("a logit is not a number")
    clipped = np.clip(logit.astype(np.float64), -MOST, MOST)
    return (np.rint(clipped * STEPS) + HALF).astype(np.uint16)


def column(logit: NDArray[np.floating], known: NDArray[np.bool_]) -> pa.Array:
    """A score column, uint16, shape (n,): null where nothing is known, whatever the logit there."""
    return pa.array(scores_of(np.where(known, logit, 0.0)), pa.uint16(), mask=~known)


def score_at(probability: float) -> int:
    """The score of a probability, to compare scores with."""
    if not 0 <= probability <= 1:
        raise ValueError(f"a probability is from 0 to 1, not {probability}")
    odds = inf if probability == 1 else probability / (1 - probability)
    logit = log(odds) if 0 < odds < inf else (-inf if odds == 0 else inf)
    return int(scores_of(np.array([logit]))[0])


def probability(score: int) -> float:
    """The probability of a score."""
    return 1 / (1 + exp((HALF - score) / STEPS))


def words(score: int) -> str:
    """A score as evidence shows it: 0.8215; near 0 and 1 with three digits that count (0.999441, 0.000559)."""
    found = probability(score)
    rest = min(found, 1 - found)
    places = 4 if rest >= 0.01 else 6 if rest >= 0.0001 else 8
    return f"{found:.{places}f}"
