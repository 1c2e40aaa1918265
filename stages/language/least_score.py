"""The least score that a document of each label must have: set by hand, by language, or by the run itself.

The default of the embedded model comes from how well it knows a label (`of_table`).

The run's own is that of FineWeb-2 (arXiv:2506.20920): the median of the scores of a language less their standard
deviation, and at least 0.3 and at most 0.9. Where a model is sure of a language, as of one with a script of its own,
the threshold is high; where it is torn between sisters it is low, and does not drop half of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import schema
from lauter.pipeline.histograms import by_key, deviation, median, numbers_of
from lauter.stages.language.labels import is_unidentified
from lauter.stages.language.labels.support import Support
from lauter.stages.languages_file import LanguagesFile, Stamp, stamp

BINS = 1001
"""Bins of a histogram, each a thousandth: FineWeb-2's thresholds have three places. Of 2,000 labels 32 MB in all."""

_ANY_MODEL = 0.3
_UNIT = schema.RATIO_SCALE // (BINS - 1)


def counted(scores: pa.RecordBatch) -> NDArray[np.uint64]:
    """The numbers of label and bin (`histograms.numbers_of`) of the documents that are in a language."""
    labels = scores.column("language").cast(pa.string()).dictionary_encode()
    names: list[str | None] = labels.dictionary.to_pylist()
    keys = np.array([0 if name is None or is_unidentified(name) else key_of(name) for name in names] or [0], np.uint64)
    key = keys[labels.indices.fill_null(0).to_numpy()]
    rows = scores.column("language_score").is_valid().to_numpy(zero_copy_only=False)
    rows &= labels.is_valid().to_numpy(zero_copy_only=False) & (key > 0)
    score = scores.column("language_score").fill_null(0).to_numpy().astype(np.int64)
    return numbers_of(key[rows], (score[rows] + _UNIT // 2) // _UNIT, BINS)


def key_of(label: str) -> int:
    """A label `deu_Latn` as a number above 0: its seven letters are digits of base 27."""
    key = 0
    for letter in label.replace("_", "").lower():
        key = key * 27 + ord(letter) - ord("a") + 1
    return key


def label_of(key: int) -> str:
    """The label of a number."""
    letters = ""
    while key:
        key, digit = divmod(key, 27)
        letters = chr(ord("a") + digit - 1) + letters
    return f"{letters[:3]}_{letters[3:].capitalize()}"


def of_run(
    number: NDArray[np.uint64], documents: NDArray[np.uint64], bounds: tuple[float, float], least: int
) -> dict[str, int]:
    """clip(median - standard deviation, low, high) of each label's scores, in ten-thousandths.

    Args:
        number: Label and bin (`counted`), in order.
        documents: Documents of each.
        bounds: Low and high, as probabilities.
        least: Documents of a label below which it has no threshold of its own.
    """
    low, high = (quantised(bound) for bound in bounds)
    return {
        label_of(key): min(max(round((median(histogram) - deviation(histogram)) * _UNIT), low), high)
        for key, histogram in by_key(number, documents, BINS).items()
        if histogram.documents >= least
    }


def of_file(path: str) -> Mapping[str, int]:
    """The scores of a file of languages (`languages_file`), in ten-thousandths.

    Raises:
        ValueError: The file is none; the message says where.
        OSError: It cannot be read.
    """
    return _of_file(stamp(path))[0]


def model_of_file(path: str) -> str | None:
    """The model whose scores those of a file were made from, where it says so; None where it has no scores.

    Raises as `of_file` does.
    """
    scores, model = _of_file(stamp(path))
    return model if scores else None


@lru_cache(maxsize=2)
def _of_file(stamped: Stamp) -> tuple[Mapping[str, int], str | None]:
    file = LanguagesFile(stamped.path)
    found = {
        label: quantised(entry.language_score)
        for label, entry in file.entries.items()
        if entry.language_score is not None
    }
    return found, file.model


def of_table(known: Support | None) -> int:
    """The least score of a document whose label has no threshold but what the model's table says, in ten-thousandths.

    A label that no table has needs 0.3, the least of FineWeb-2 for any language.
    """
    return quantised(_ANY_MODEL if known is None else known.document)


def quantised(value: float) -> int:
    """A probability in ten-thousandths, half to even."""
    return round(value * schema.RATIO_SCALE)


def decimal(score: int) -> str:
    """0.8215 for 8215."""
    return f"{score / schema.RATIO_SCALE:.4f}"
