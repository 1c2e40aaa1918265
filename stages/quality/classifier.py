"""A learned score beside the rules: how much a text is like the good ones that a classifier was trained on.

The class of fastText's supervised model with two classes, which DCLM and FineWeb use to choose text: a linear model
over hashed n-grams (`stages.classifier`), trained by `lauter quality train`. `quality_classifier` is the calibrated
log-odds of being good, in 1,024ths (`stages.log_odds`); null in a language that it was not trained on, and such a
document is kept: not judged is not bad.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline.contract import ReportSection, ReportTable
from lauter.pipeline.histograms import Histogram
from lauter.stages import log_odds
from lauter.stages.classifier.model import Classifier
from lauter.stages.classifier.predict import logits
from lauter.stages.kernels.words import text_buffers
from lauter.stages.labelled_texts import UNLABELLED
from lauter.stages.quality.thresholds import QualityConfig
from lauter.stages.quantiles import key_of, least_kept

COLUMN = "quality_classifier"
SIGNAL = "quality-classifier"
"""What evidence calls it, beside the families of rules."""
REASON = "classifier"
LABELS = ("other", "good")
LISTED = 30
"""Languages that the classifier does not know, listed in the report."""


def load(path: str) -> Classifier:
    """A model of `lauter quality train`.

    Raises:
        ValueError: The file is none; the message names it.
        OSError: It cannot be read.
    """
    model = Classifier.load(Path(path))
    if model.labels != LABELS or "languages" not in model.notes or not model.slope:
        raise ValueError(
            f"{path} is a classifier of {', '.join(model.labels)}; `lauter quality train` makes the one wanted"
        )
    return model


def scored(model: Classifier | None, text: pa.Array, language: pa.Array) -> pa.Array:
    """The score column of some texts; all null without a model."""
    if model is None:
        return pa.nulls(len(text), pa.uint16())
    known = np.array([knows(model, label) for label in language.cast(pa.string()).to_pylist()], np.bool_)
    found = np.zeros(len(text), np.float64)
    if known.any():
        offsets, data = text_buffers(text.filter(pa.array(known)))
        found[known] = log_odds_of(model, data, offsets)
    return log_odds.column(found, known)


def log_odds_of(model: Classifier, data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Calibrated log-odds of texts as buffers, shape (n,)."""
    found: NDArray[np.float64] = (
        logits(model, data, offsets)[:, 0].astype(np.float64) * model.slope[0] + model.offset[0]
    )
    return found


def knows(model: Classifier, language: str | None) -> bool:
    """Whether a model judges a language: one that it was trained on, or any where no text of its training named one."""
    languages: Sequence[str] = model.notes["languages"]
    return language in languages or list(languages) == [UNLABELLED]


class Limit(NamedTuple):
    """The least score of a language, and which parameter set it."""

    score: int
    why: str


def limit_of(
    language: str, share: float | None, least: float | None, fewest: int, populations: Mapping[int, Histogram]
) -> Limit | None:
    """The stricter of an absolute limit and a share of the language's documents; None where neither holds.

    Args:
        language: A label, empty for documents without one.
        share: The best share that is kept.
        least: The least probability.
        fewest: Documents of the language in the run below which no share of it is taken.
        populations: Scores of the run (`stages.quantiles.populations`).
    """
    limits = [] if least is None else [Limit(log_odds.score_at(least), "min_classifier")]
    population = populations.get(key_of(language))
    if share is not None and population is not None and population.documents >= fewest:
        limits.append(Limit(least_kept(population, share), "keep_best"))
    return max(limits, default=None, key=lambda limit: limit.score)


def below(scores: pa.RecordBatch, limits: Mapping[str, Limit | None]) -> list[tuple[int, str]]:
    """The rows whose score is below the limit of their language, and what the evidence says.

    Args:
        scores: With the columns `language` and `quality_classifier`.
        limits: By label, empty for none.
    """
    found = []
    labels = scores.column("language").cast(pa.string()).fill_null("").to_pylist()
    for row, (label, score) in enumerate(zip(labels, scores.column(COLUMN).to_pylist(), strict=True)):
        limit = limits[label]
        if score is not None and limit is not None and score < limit.score:
            text = f"{COLUMN} {log_odds.words(score)} < {log_odds.words(limit.score)} ({limit.why})"
            found.append((row, text))
    return found


def classifier_report(summary: Mapping[str, Any], config: QualityConfig) -> ReportSection | None:
    """What the classifier is, what it decided, and the languages that it does not know (`contract.ReportingStage`).

    None where the configuration has no classifier.
    """
    if config.classifier is None:
        return None
    model = load(config.classifier)
    languages = {label: counts["records"] for label, counts in summary["languages"].items() if label != "-"}
    unknown = {label: count for label, count in languages.items() if not knows(model, label)}
    wanted = [] if config.min_classifier is None else [f"a probability of {config.min_classifier} or more"]
    if config.keep_best is not None:
        wanted.append(f"the best {config.keep_best} of each language")
    wanted += [f"the best {share} of {label}" for label, share in sorted(config.keep_best_of.items())[:LISTED]]
    told = f"kept are {', '.join(wanted)}" if wanted else "nothing was decided by it"
    scope = "any language" if knows(model, None) else f"{len(model.notes['languages'])} languages"
    sentence = f"Learned quality: a classifier of n-grams (digest {model.digest}) scored documents in {scope}; {told}."
    if config.keep_best is not None or config.keep_best_of:
        sentence += (
            " A share is of the documents of a language that passed the hard decisions, copies among them, and is taken"
            f" of languages with {config.min_documents:,} or more."
        )
    ended = (row for row in summary["reasons"] if (row["stage"], row["reason"]) == ("quality", REASON))
    dropped = sum(row["records"] for row in ended)
    rows = tuple(sorted(unknown.items(), key=lambda item: (-item[1], item[0]))[:LISTED])
    warning = (
        f"The quality classifier knows none of {len(unknown):,} languages with {sum(unknown.values()):,} records: their"
        " documents were not judged by it and were kept."
    )
    return ReportSection(
        "Learned quality",
        (sentence,),
        (
            ("documents dropped by the classifier", f"{dropped:,}"),
            ("licence of the texts", str(model.notes.get("licence", "not stated"))),
        ),
        (ReportTable("Languages that the classifier does not know", ("language", "records"), rows),),
        answers={"3.3": (sentence,)},
        warnings=(warning,) if unknown and wanted else (),
    )
