"""From counts to score columns: exact integer ratios, rounded half to even."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import schema
from lauter.stages.kernels import quality as counted
from lauter.stages.kernels.repetition import DUPLICATE_ORDERS, TOP_ORDERS
from lauter.stages.quality.rules import MEAN_SCALE

SCORES = schema.fields(
    schema.SCORE,
    "words",
    "mean_word_length",
    "symbol_ratio",
    "bullet_line_ratio",
    "ellipsis_line_ratio",
    "alphabetic_word_ratio",
    "stop_words",
    "duplicate_line_ratio",
    "duplicate_paragraph_ratio",
    "duplicate_line_char_ratio",
    "duplicate_paragraph_char_ratio",
    "top_ngram_ratios",
    "duplicate_ngram_ratios",
    "line_punctuation_ratio",
    "short_line_ratio",
    "newline_ratio",
)

_MAX_UINT16 = 65_535


def quantised(numerator: NDArray[np.int64], denominator: NDArray[np.int64], scale: int) -> NDArray[np.uint16]:
    """`numerator / denominator * scale`, rounded half to even; 0 for a denominator of 0, at most 65,535.

    Exact for numerators below 2**49. A score can pass 6.5535 only where every threshold is far exceeded.
    """
    whole, rest = np.divmod(numerator * scale, np.maximum(denominator, 1))
    twice = 2 * rest
    up = (twice > denominator) | ((twice == denominator) & (whole % 2 == 1))
    return np.where(denominator > 0, np.minimum(whole + up, _MAX_UINT16), 0).astype(np.uint16)


def score_columns(counts: NDArray[np.int64], listed: NDArray[np.bool_]) -> dict[str, pa.Array[Any]]:
    """The columns of `SCORES` from `counts`, shape (n, COLUMNS), of the kernel `measure`.

    `listed`, shape (n,), says whether there are stop words for the document's language: without, `stop_words` is null.
    So is `mean_word_length` where most words are single letters of a script that no dictionary cuts.
    """
    column = counts.T
    letters = column[counted.IDEOGRAPHS] + column[counted.SYLLABLES]
    spaced = column[counted.WORDS] - letters
    estimate = (
        column[counted.IDEOGRAPHS] // counted.IDEOGRAPHS_PER_WORD
        + column[counted.SYLLABLES] // counted.SYLLABLES_PER_WORD
    )
    words = spaced + estimate
    text, lines, paragraphs = column[counted.CHARACTERS], column[counted.LINES], column[counted.PARAGRAPHS]
    whole = text + column[counted.NEWLINES]

    def ratio(numerator: NDArray[np.int64], denominator: NDArray[np.int64]) -> NDArray[np.uint16]:
        return quantised(numerator, denominator, schema.RATIO_SCALE)

    def orders(first: int, count: int) -> pa.Array[Any]:
        values = np.stack([ratio(column[first + order], whole) for order in range(count)], axis=1)
        return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), count)

    # Where single letters stand for words, a letter's length says nothing; a mean over them is one of no words.
    no_words = 2 * letters > column[counted.WORDS]
    plain = spaced - column[counted.SYMBOL_WORDS]
    symbols = np.maximum(column[counted.HASHES], column[counted.ELLIPSES])
    arrays: dict[str, pa.Array[Any] | NDArray[np.uint16]] = {
        "words": pa.array(words - column[counted.SYMBOL_WORDS], pa.int32()),
        "mean_word_length": pa.array(quantised(column[counted.WORD_CHARACTERS], plain, MEAN_SCALE), mask=no_words),
        "symbol_ratio": ratio(symbols, words),
        # Of all lines, as datatrove has them and as the published thresholds were set.
        "bullet_line_ratio": ratio(column[counted.BULLET_LINES], column[counted.ALL_LINES]),
        "ellipsis_line_ratio": ratio(column[counted.ELLIPSIS_LINES], column[counted.ALL_LINES]),
        "alphabetic_word_ratio": ratio(column[counted.ALPHABETIC_WORDS], column[counted.WORDS]),
        "stop_words": pa.array(column[counted.STOP_WORDS].astype(np.uint16), mask=~listed),
        "duplicate_line_ratio": ratio(column[counted.DUPLICATE_LINES], lines),
        "duplicate_paragraph_ratio": ratio(column[counted.DUPLICATE_PARAGRAPHS], paragraphs),
        "duplicate_line_char_ratio": ratio(column[counted.DUPLICATE_LINE_CHARACTERS], text),
        "duplicate_paragraph_char_ratio": ratio(column[counted.DUPLICATE_PARAGRAPH_CHARACTERS], text),
        "top_ngram_ratios": orders(counted.TOP_NGRAMS, TOP_ORDERS),
        "duplicate_ngram_ratios": orders(counted.DUPLICATE_NGRAMS, DUPLICATE_ORDERS),
        "line_punctuation_ratio": ratio(column[counted.TERMINAL_LINES], lines),
        "short_line_ratio": ratio(column[counted.SHORT_LINES], lines),
        "newline_ratio": ratio(column[counted.NEWLINES], words),
    }
    return {field.name: pa.array(arrays[field.name], field.type) for field in SCORES}
