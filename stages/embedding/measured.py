"""Heads on labelled texts: trained, calibrated and measured, each on texts that the other two have not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.stages.classifier.calibration import fit_platt
from lauter.stages.classifier.measures import figures
from lauter.stages.embedding.encoder import Model, embed
from lauter.stages.embedding.head import Chunks, Head
from lauter.stages.embedding.training import Recipe, train
from lauter.stages.encoders.chunks import Chunker
from lauter.stages.labelled_texts import CALIBRATED, FOLDS, MEASURED, Labelled

_ROWS = 256
"""Texts that are cut to chunks at a time."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder with its tokenizer, and how it is run."""

    model: Model
    chunker: Chunker
    digest: str
    """`encoder.digest_of`."""
    batch_tokens: int
    max_chunks: int


def train_head(
    texts: Labelled, encoder: Encoder, recipe: Recipe, card: Mapping[str, Any], told: Callable[[str], None]
) -> Head:
    """A head for the languages of some texts: eight tenths train it, one calibrates it, one measures it.

    Memory: 3 kB a text with an encoder of the width 768.

    Raises:
        ValueError: A class has no text in one of the three.
    """
    training, calibrating, measuring = (
        texts.rows(mask) for mask in (texts.training, texts.fold == CALIBRATED, texts.fold == MEASURED)
    )
    for name, part in (("training", training), ("calibration", calibrating), ("measuring", measuring)):
        if not 0 < int(part.positive.sum()) < len(part.positive):
            raise ValueError(f"too few texts: a class has none for {name}, a tenth of all by their hashes")
    vectors = _vectors(training.texts, encoder, 1)[0]
    checked = _vectors(calibrating.texts, encoder, 1)[0]

    def epoch(number: int, loss: float) -> None:
        told(f"epoch {number}: loss {loss:.4f}")

    weights = train(vectors, training.positive, (checked, calibrating.positive), recipe, epoch)
    made = {"recipe": asdict(recipe), "texts": _counts(texts), **card}
    bare = Head(weights, recipe.chunks, tuple(sorted(set(texts.languages))), encoder.digest, card=made)
    return calibrated(bare, calibrating, measuring, encoder)


def recalibrated(head: Head, texts: Labelled, encoder: Encoder) -> Head:
    """A head that exists, calibrated on one half of some texts, by their hashes, and measured on the other.

    Raises:
        ValueError: A class has no text in one of the halves, or the head has more to do with chance.
    """
    half = texts.fold < FOLDS // 2
    parts = texts.rows(half), texts.rows(~half)
    if not all(0 < int(part.positive.sum()) < len(part.positive) for part in parts):
        raise ValueError("too few texts: a class has none in one half of them by their hashes")
    own = replace(head, encoder=encoder.digest, card={**head.card, "calibrated on": _counts(texts)})
    return calibrated(own, *parts, encoder)


def calibrated(head: Head, calibrating: Labelled, measuring: Labelled, encoder: Encoder) -> Head:
    """The head with the calibration of some texts, and on its card what it does on others.

    Raises:
        ValueError: Its logits do not grow with the class, so that no calibration keeps their order.
    """
    logits = raw(head, calibrating.texts, encoder)
    slope, offset = fit_platt(logits, calibrating.positive, np.ones(len(logits)))
    if not slope > 0:
        raise ValueError(f"the head tells the classes apart no better than chance: slope {slope:.4f} of its logits")
    found = replace(head, slope=slope, offset=offset)
    return replace(found, card={**head.card, "held out": measures(found, measuring, encoder)})


def measures(head: Head, texts: Labelled, encoder: Encoder) -> dict[str, Mapping[str, float | int]]:
    """AUC, best F1 and its threshold, and expected calibration error, by language and of all texts.

    A language in which a class has no text is not measured by itself.
    """
    log_odds = head.slope * raw(head, texts.texts, encoder) + head.offset
    found = {}
    languages = np.array(texts.languages)
    for label in ["all", *sorted(set(texts.languages))]:
        rows = np.ones(len(languages), np.bool_) if label == "all" else languages == label
        positive = texts.positive[rows]
        if not 0 < int(positive.sum()) < len(positive):
            continue
        probability = 1 / (1 + np.exp(-log_odds[rows]))
        found[label] = figures(probability, positive)
    return found


def raw(head: Head, texts: pa.LargeStringArray, encoder: Encoder) -> NDArray[np.float64]:
    """Logits before calibration, shape (n,), over the chunks that the stage would judge."""
    vectors, first = _vectors(texts, encoder, _most(head.chunks, encoder.max_chunks))
    return np.maximum.reduceat(head.raw(vectors), first)


def _most(chunks: Chunks, most: int) -> int:
    return 1 if chunks == "first" else most


def _vectors(texts: pa.LargeStringArray, encoder: Encoder, most: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The vectors of all chunks of some texts, and the place of the first one of each."""
    found, counts = [], []
    for start in range(0, len(texts), _ROWS):
        each = [encoder.chunker.chunks(text, most) for text in texts.slice(start, _ROWS).to_pylist()]
        counts += [len(chunks) for chunks in each]
        found.append(
            embed(encoder.model, [chunk for own in each for chunk in own], encoder.batch_tokens, encoder.chunker.pad)
        )
    return np.concatenate(found), np.cumsum([0, *counts[:-1]])


def _counts(texts: Labelled) -> dict[str, int]:
    positives = int(texts.positive.sum())
    return {"positives": positives, "negatives": len(texts.positive) - positives, **texts.counts}
