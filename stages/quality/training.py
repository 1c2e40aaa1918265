"""Training the quality classifier from good and other texts, and measuring it on a tenth that nothing else saw."""

from __future__ import annotations

import numpy as np

from lauter.stages.classifier.calibration import fit_platt
from lauter.stages.classifier.measures import figures
from lauter.stages.classifier.model import Classifier
from lauter.stages.classifier.train import Recipe, train
from lauter.stages.kernels.words import text_buffers
from lauter.stages.labelled_texts import CALIBRATED, MEASURED, Labelled
from lauter.stages.quality.classifier import LABELS, log_odds_of

RECIPE = Recipe(bits=20, words=2, least=4, most=4, text_bytes=4096, epochs=10)
"""4 MB. Of 4,020 web pages three tenths that were held out have an AUC of .916 (mean of two splits); the same with
n-grams of 3 to 5 characters, at half the speed, .914 without n-grams of words, .908 without those of characters. The
beginning of a page tells its kind: with twice the bytes the AUC is no higher."""

FEWEST = 10
"""Texts of each class that a language must have."""


def train_classifier(texts: Labelled, recipe: Recipe, licence: str) -> Classifier:
    """A calibrated model: eight tenths of the texts train it, one calibrates it, one measures it.

    Within a language both classes weigh alike, or the language itself would be what tells them apart; one in which a
    class has fewer than 10 texts to train on is left out. The card stands in the model's notes.

    Raises:
        ValueError: A class has too few texts, or they cannot be told apart.
    """
    languages = np.array(texts.languages)
    sides = (texts.positive & texts.training, ~texts.positive & texts.training)
    known = [
        label
        for label in sorted(set(texts.languages))
        if all(int((side & (languages == label)).sum()) >= FEWEST for side in sides)
    ]
    own = np.isin(languages, known)
    fitted, measured = (own & (texts.fold == fold) for fold in (CALIBRATED, MEASURED))
    for name, rows in (("calibrate", fitted), ("measure", measured)):
        if not 0 < int(texts.positive[rows].sum()) < int(rows.sum()):
            raise ValueError(
                f"too few texts: no language has {FEWEST} of each class to train on, or a class has none to {name}"
                " with, which a tenth of all does, by their hashes"
            )
    offsets, data = text_buffers(texts.texts)
    weights = np.zeros(len(languages), np.float32)
    for label in known:
        rows = (languages == label) & texts.training
        for positive in (False, True):
            side = rows & (texts.positive == positive)
            weights[side] = rows.sum() / (2 * side.sum())
    labels = texts.positive.astype(np.int32)
    bare = train(data, offsets, labels, weights, LABELS, recipe).calibrated((1.0,), (0.0,))
    logits = log_odds_of(bare, data, offsets)
    slope, offset = fit_platt(logits[fitted], texts.positive[fitted], np.ones(int(fitted.sum())))
    if not slope > 0:
        raise ValueError(
            "the texts cannot be told apart: on those that were held out the model is no better than chance"
        )
    model = bare.calibrated((slope,), (offset,))
    probability = 1 / (1 + np.exp(-(slope * logits + offset)))
    held_out = {"all": figures(probability[measured], texts.positive[measured])}
    for label in known:
        rows = measured & (languages == label)
        if 0 < int(texts.positive[rows].sum()) < int(rows.sum()):
            held_out[label] = figures(probability[rows], texts.positive[rows])
    return model.noted({
        "languages": known,
        "left out": sorted(set(texts.languages) - set(known)),
        "licence": licence,
        "texts": {
            "positives": int(texts.positive[own].sum()), "negatives": int((~texts.positive[own]).sum()), **texts.counts,
        },
        "recipe": recipe.model_dump(mode="json"),
        "held out": held_out,
    })  # fmt: skip
