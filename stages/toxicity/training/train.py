"""Training the toxicity model: figures and calibration from folds, then one model from all.

Each fold is judged by a model of the others, so every text has a logit of a model that never saw it or its template.
A model is a classifier and the weights by which its logit counts beside the tone (`weighing`). These weights too are
fitted for each fold without it, to logits of classifiers that saw neither that fold nor that of the text.

The slope that turns logits into probabilities, and the offset of each language, are fitted to these, every language
with the same weight and its two classes too: a probability is at even odds, since the share of toxic posts in a set
says nothing of the web. The model that is written is trained on all folds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.stages.classifier.calibration import fit_offset, fit_platt
from lauter.stages.classifier.model import Classifier
from lauter.stages.classifier.predict import logits
from lauter.stages.classifier.train import train
from lauter.stages.kernels.words import text_buffers
from lauter.stages.toxicity.embedded import CLASSES, marks_of, probabilities
from lauter.stages.toxicity.kinds import Kinds, build_kind_table, kinds_of
from lauter.stages.toxicity.lexicon import Lexicon
from lauter.stages.toxicity.pairs import KindModel, kind_logits
from lauter.stages.toxicity.tone import Tone, build_table, tone_of
from lauter.stages.toxicity.training.folds import folds_of
from lauter.stages.toxicity.training.named import NAMED, named_posts
from lauter.stages.toxicity.training.pairs import features_of, train_pairs
from lauter.stages.toxicity.training.recipe import Recipe
from lauter.stages.toxicity.training.second import fit_weights
from lauter.stages.toxicity.training.sets import Post, check_licences, licences_of, paths_of, read_ordinary, read_set
from lauter.stages.toxicity.weighing import columns_of, weigh

_PENALTY = 0.003
"""Of the weights beside the tone. With a third of it the macro AUC is the same to .001."""
_ORDINARY_SHARE = 0.3
"""What all texts without a part in figures weigh when these weights are fitted, as a share of the others."""


class Material(NamedTuple):
    """Labelled texts and what the model is told of each; all of n rows."""

    posts: tuple[Post, ...]
    tone: Tone
    kinds: Kinds
    features: NDArray[np.int32]
    """The pairs of kinds of all texts (`pairs.features_of`)."""
    bounds: NDArray[np.int64]
    """Shape (n + 1,): where those of each text are."""
    groups: NDArray[np.int64]
    """The place of the language among the recipe's."""
    marks: NDArray[np.int64]
    """What the word list of the language finds (`embedded.marks_of`)."""
    toxic: NDArray[np.bool_]

    def logits(self, models: tuple[Classifier, KindModel]) -> NDArray[np.float64]:
        """The logits of two models, shape (2, n)."""
        found = logits(models[0], self.tone.masked, self.tone.bounds, self.groups, self.marks)
        return np.stack([found[:, 0].astype(np.float64), kind_logits(models[1], self.kinds)])

    def columns(self, found: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """The numbers that are weighed, each of shape (n,), from the logits."""
        return columns_of(found[0], found[1], self.tone.counts, self.marks)


class Trained(NamedTuple):
    """A model and what it was measured with."""

    model: Classifier
    material: Material
    held_out: NDArray[np.float64]
    """Shape (n,): the weighed logit of each text by a model that was trained without its fold."""
    probability: NDArray[np.float64]
    """Shape (n,): the same, calibrated."""
    fold: NDArray[np.int64]
    """Shape (n,)."""


def material_of(posts: Sequence[Post], recipe: Recipe) -> Material:
    """What the model is told of texts, all in languages of the recipe."""
    codes = sorted(recipe.languages)
    text = pa.array([post.text for post in posts], pa.large_string())
    labels = pa.array([recipe.languages[post.language][0] for post in posts], pa.string())
    groups = np.array([codes.index(post.language) for post in posts], np.int64)
    toxic = np.array([post.toxic for post in posts], np.bool_)
    offsets, data = text_buffers(text)
    tone = tone_of(build_table(tuple(codes)), data, offsets, groups)
    kinds = kinds_of(build_kind_table(tuple(codes)), data, offsets, groups)
    marks = marks_of(Lexicon(), text, labels)
    return Material(tuple(posts), tone, kinds, *features_of(kinds), groups, marks, toxic)


def read_training(folder: Path, recipe: Recipe) -> list[Post]:
    """The texts to train on, in the order of sets and of their lines.

    Raises:
        ValueError: A set is not there, or its licence does not allow it, or a line is none.
        OSError: A file cannot be read.
    """
    check_licences([*recipe.train, *recipe.ordinary], licences_of(folder), recipe.licences)
    paths = paths_of(folder)
    missing = [name for name in (*recipe.train, *recipe.ordinary) if name not in paths]
    if missing:
        raise ValueError(f"{folder} has no {', '.join(missing)}: a set is NAME.jsonl, NAME.jsonl.gz or a folder NAME")
    posts = [post for name in sorted(recipe.train) for post in read_set(name, paths[name])]
    for name in sorted(recipe.ordinary):
        posts += read_ordinary(name, paths[name], recipe.ordinary_texts)
    if recipe.named:
        posts += named_posts(recipe.languages)
    return [post for post in posts if post.language in recipe.languages]


def train_model(posts: Sequence[Post], recipe: Recipe, told: Callable[[str], None]) -> Trained:
    """Train, measure on folds and calibrate.

    Raises:
        ValueError: A language has no texts of both classes, or the model cannot tell them apart.
    """
    material = material_of(posts, recipe)
    for place, code in enumerate(sorted(recipe.languages)):
        own = material.toxic[measured(material, recipe) & (material.groups == place)]
        if not 0 < int(own.sum()) < len(own):
            raise ValueError(f"the sets have no toxic and other texts in {code}: take it out of `languages`")
    fold = folds_of(posts, recipe.folds)
    weights = even_weights(material, recipe)
    held_out, chosen = _judge_folds(material, fold, weights, recipe, told)
    slope, offset = fit_platt(held_out, material.toxic, weights)
    if not slope > 0:
        raise ValueError(
            "the texts cannot be told apart: of those that were held out the model knows no more than chance"
        )
    groups: dict[str, list[float]] = {}
    offsets = np.zeros(len(recipe.languages))
    for place, code in enumerate(sorted(recipe.languages)):
        own = material.groups == place
        offsets[place] = fit_offset(slope * held_out[own], material.toxic[own], weights[own])
        groups |= {label: [place, float(offsets[place])] for label in recipe.languages[code]}
    classifier, kinds = _trained(material, np.ones(len(posts), np.bool_), recipe)
    probability = probabilities(held_out, slope, offsets[material.groups])
    notes = {"languages": groups, "codes": sorted(recipe.languages), "weights": chosen, "kinds": kinds.noted()}
    model = classifier.calibrated((slope,), (offset,)).noted(notes)
    return Trained(model, material, held_out, probability, fold)


def _judge_folds(
    material: Material,
    fold: NDArray[np.int64],
    weights: NDArray[np.float64],
    recipe: Recipe,
    told: Callable[[str], None],
) -> tuple[NDArray[np.float64], tuple[float, ...]]:
    """The weighed logit of each text by a model of the other folds, and the weights of all folds."""
    folds = recipe.folds
    of_fold = np.zeros((folds, 2, len(fold)))  # p: logits of classifiers that saw neither fold p nor the text's
    for left, right in combinations(range(folds), 2):
        found = material.logits(_trained(material, (fold != left) & (fold != right), recipe))
        of_fold[left][:, fold == right] = found[:, fold == right]
        of_fold[right][:, fold == left] = found[:, fold == left]
    for part in range(folds):
        apart = fold == part
        of_fold[part][:, apart] = material.logits(_trained(material, ~apart, recipe))[:, apart]
        told(f"fold {part + 1} of {folds}: {int(apart.sum()):,} texts judged by a model of the others")
    counted = weights > 0
    second = np.where(counted, weights, _ORDINARY_SHARE * weights.sum() / max(int((~counted).sum()), 1))
    held_out = np.zeros(len(fold))
    for part in range(folds):
        apart = fold == part
        columns = material.columns(of_fold[part])
        own = fit_weights(columns, material.toxic, np.where(apart, 0, second), _PENALTY)
        held_out[apart] = weigh([column[apart] for column in columns], own)
    columns = material.columns(of_fold[fold, :, np.arange(len(fold))].T)
    return held_out, fit_weights(columns, material.toxic, second, _PENALTY)


def measured(material: Material, recipe: Recipe) -> NDArray[np.bool_]:
    """The texts that figures and calibration are of, shape (n,): all but ordinary ones."""
    return np.array([post.of_set not in {*recipe.ordinary, NAMED} for post in material.posts], np.bool_)


def even_weights(material: Material, recipe: Recipe) -> NDArray[np.float64]:
    """Weights, shape (n,), with which all languages and both classes of each count alike, and ordinary text nothing."""
    cells = material.groups * 2 + material.toxic
    rows = measured(material, recipe)
    counts = np.bincount(cells[rows], minlength=int(cells.max()) + 1)
    weights: NDArray[np.float64] = np.where(
        rows, rows.sum() / np.count_nonzero(counts) / np.maximum(counts, 1)[cells], 0
    )
    return weights


def _trained(material: Material, chosen: NDArray[np.bool_], recipe: Recipe) -> tuple[Classifier, KindModel]:
    named = np.array([post.of_set == NAMED for post in material.posts], np.bool_)
    weights = np.where(chosen, np.where(named, recipe.named, 1), 0).astype(np.float64)
    how = recipe.classifier
    classifier = train(
        material.tone.masked, material.tone.bounds, material.toxic.astype(np.int32), weights.astype(np.float32),
        CLASSES, how, material.groups, material.marks,
    )  # fmt: skip
    return classifier, train_pairs(material.features, material.bounds, material.toxic, weights, how.epochs, how.seed)
