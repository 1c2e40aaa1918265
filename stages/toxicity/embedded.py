"""The embedded model: how toxic a document is, by a linear classifier over its windows.

Each window of 512 bytes (`windows`) gets a probability at even odds, from its words and n-grams, in which words for
groups of people are all alike, its language, what the word list of its language finds in it (nothing, something, more
than one word in fifty: the model's marks), the kinds of its words one after another (`kinds`, `pairs`), and its tone
(`tone`, `weighing`): blame, praise, negators, groups. The document's score is that of the window at which a tenth of
those judged are as bad or worse, so one quoted insult in a long page is not the page; a post of one window has that
window's.

`models/embedded/card.json` says what it was trained on, how well it does, and what it cannot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import schema
from lauter.stages.classifier.model import Classifier
from lauter.stages.classifier.predict import logits
from lauter.stages.kernels.words import text_buffers
from lauter.stages.toxicity.kinds import build_kind_table, kinds_of
from lauter.stages.toxicity.lexicon import Lexicon
from lauter.stages.toxicity.pairs import FEATURES, KindModel, kind_logits
from lauter.stages.toxicity.tone import MEASURES, build_table, tone_of
from lauter.stages.toxicity.weighing import columns_of, weigh
from lauter.stages.toxicity.windows import JUDGED, chosen, cut_windows, most_windows

MODEL = "models/embedded/model.classifier"
"""Below the folder of the stage."""
CLASSES = ("other", "toxic")
SHARE = 10
"""One window in this many is at least as bad as the score of a document says."""
_NO_LIST, _NOTHING, _SOME, _DENSE = -1, 0, 1, 2


class Embedded:
    """The model and the word lists, ready to judge."""

    def __init__(self, model: Classifier, lexicon: Lexicon) -> None:
        self.model = model
        self._lexicon = lexicon
        languages: Mapping[str, tuple[int, float]] = model.notes["languages"]
        self._groups = {label: group for label, (group, _) in languages.items()}
        self._offsets = dict(languages.values())
        self._table = build_table(tuple(model.notes["codes"]))
        self._kind_table = build_kind_table(tuple(model.notes["codes"]))
        self._kinds = KindModel.of_notes(model.notes["kinds"])
        self._weights: Sequence[float] = model.notes["weights"]

    @staticmethod
    def load(path: str | None, lexicon: Lexicon) -> Embedded:
        """The model of a file, or the embedded one.

        Raises:
            ValueError: The file is none, or is damaged, or was not made by `lauter toxicity train`.
            OSError: It cannot be read.
        """
        if path is not None:
            return Embedded(classifier_of(path), lexicon)
        with resources.as_file(resources.files("lauter.stages.toxicity").joinpath(MODEL)) as embedded:
            return Embedded(Classifier.load(embedded), lexicon)

    @property
    def languages(self) -> frozenset[str]:
        """Labels (`deu_Latn`) of the languages that it judges."""
        return frozenset(self._groups)

    def score(self, text: pa.LargeStringArray, language: pa.StringArray) -> pa.UInt16Array:
        """Score of each text in ten-thousandths; null where the language is none of the model's or there is no text."""
        labels = language.to_pylist()
        groups = np.array([self._groups.get(label or "", -1) for label in labels], np.int64)
        judged = (groups >= 0) & np.array([bool(value and value.strip()) for value in text.to_pylist()], np.bool_)
        rows = np.flatnonzero(judged)
        scores = np.zeros(len(groups), np.uint16)
        if len(rows):
            own = text.take(pa.array(rows))
            scores[rows] = self._of_documents(own, [str(labels[row]) for row in rows.tolist()], groups[rows])
        return pa.array(scores, pa.uint16(), mask=~judged)

    def _of_documents(
        self, text: pa.LargeStringArray, labels: list[str], groups: NDArray[np.int64]
    ) -> NDArray[np.uint16]:
        offsets, data = text_buffers(text)
        bounds, counts = np.empty(most_windows(offsets) + 1, np.int64), np.empty(len(groups), np.int64)
        total = cut_windows(data, offsets, bounds, counts)
        windows = windows_of(data, bounds[: total + 1]).take(pa.array(chosen(counts)))
        counts = np.minimum(counts, JUDGED)
        of_text = np.repeat(np.arange(len(groups)), counts)
        bounds, data = text_buffers(windows)
        marks = marks_of(self._lexicon, windows, pa.array(labels).take(pa.array(of_text)))
        tone = tone_of(self._table, data, bounds, groups[of_text])
        of_kinds = kind_logits(self._kinds, kinds_of(self._kind_table, data, bounds, groups[of_text]))
        logit = logits(self.model, tone.masked, tone.bounds, groups[of_text], marks)[:, 0].astype(np.float64)
        found = weigh(columns_of(logit, of_kinds, tone.counts, marks), self._weights)
        offsets_of = np.array([self._offsets[group] for group in groups.tolist()])
        probability = probabilities(found, self.model.slope[0], offsets_of[of_text])
        return of_windows(np.rint(probability * schema.RATIO_SCALE).astype(np.uint16), counts)


def classifier_of(path: str) -> Classifier:
    """A model of `lauter toxicity train`.

    Raises:
        ValueError: The file is none, or is damaged.
        OSError: It cannot be read.
    """
    model = Classifier.load(Path(path))
    if model.labels != CLASSES or "languages" not in model.notes or not model.slope:
        raise ValueError(
            f"{path} is a classifier of {', '.join(model.labels)} and no model of toxicity: train one with `lauter"
            " toxicity train`"
        )
    columns = columns_of(np.zeros(1), np.zeros(1), np.zeros((1, len(MEASURES)), np.int64), np.zeros(1, np.int64))
    kinds = model.notes.get("kinds", {}).get("weights", ())
    if len(kinds) != FEATURES or len(columns) != len(model.notes["weights"]):
        # Else it would be the fault of every page.
        raise ValueError(f"{path} was trained by another version: train it anew with `lauter toxicity train`")
    return model


def probabilities(logit: NDArray[Any], slope: float, offset: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """The logistic function of slope * logit + offset: one slope for all languages, and an offset for each."""
    found: NDArray[np.float64] = 1 / (1 + np.exp(-(slope * logit.astype(np.float64) + offset)))
    return found


def windows_of(data: NDArray[np.uint8], bounds: NDArray[np.int64]) -> pa.LargeStringArray:
    """The windows as an Arrow array that shares their bytes."""
    return pa.LargeStringArray.from_buffers(len(bounds) - 1, pa.py_buffer(bounds), pa.py_buffer(data))


def marks_of(lexicon: Lexicon, text: pa.LargeStringArray, language: pa.StringArray) -> NDArray[np.int64]:
    """What the word lists find in each text: shape (n,), -1 where there is no list."""
    score = lexicon.score(text, language)
    value = score.fill_null(0).to_numpy()
    mark = np.where(value == 0, _NOTHING, np.where(value <= schema.RATIO_SCALE // 2, _SOME, _DENSE))
    return np.where(score.is_valid().to_numpy(zero_copy_only=False), mark, _NO_LIST).astype(np.int64)


def of_windows(scores: NDArray[np.uint16], counts: NDArray[np.int64]) -> NDArray[np.uint16]:
    """The score of each document from those of its windows: one in ten of them has it or more.

    Args:
        scores: Shape (windows,), the windows of a document one after another.
        counts: Shape (n,): windows of each document, above 0.
    """
    of_text = np.repeat(np.arange(len(counts)), counts)
    ranked = scores[np.lexsort((-scores.astype(np.int64), of_text))]
    chosen: NDArray[np.uint16] = ranked[np.cumsum(counts) - counts + (counts - 1) // SHARE]
    return chosen
