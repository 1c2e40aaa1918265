"""How frequent the words of a language are, in texts or as frequency lists say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import LETTER, PUNCTUATION, SEPARATOR, expand_classes, expand_lower
from lauter.stages.kernels.segmentation import word_begins
from lauter.stages.kernels.words import DROP_PUNCTUATION, FOLD_CASE, cut_word_spans, hash_whole, text_buffers

OTHERS = ""
"""Stands for all words that are too rare to be told apart: they count in the total, and are no word."""
_BATCH = 4096


@kernel
def hash_spans(data: NDArray[np.uint8], spans: NDArray[np.int64], flags: int) -> NDArray[np.uint64]:
    """`words.hash_whole` of each range of `spans`, shape (n, 2); shape (n,)."""
    hashes = np.empty(len(spans), np.uint64)
    for index in range(len(spans)):
        hashes[index] = hash_whole(data, spans[index, 0], spans[index, 1], flags)
    return hashes


class Folding:
    """Words as the quality kernel compares them: in lower case, without punctuation."""

    def __init__(self) -> None:
        self._classes = expand_classes()
        self._lower = expand_lower()

    def fold(self, word: str) -> str | None:
        """The word as it is compared; None for what is no word: without a letter (a number), or several words."""
        kept = [code for code in map(ord, word) if not self._classes[code] & PUNCTUATION]
        kinds = [int(self._classes[code]) for code in kept]
        if not any(kind & LETTER for kind in kinds) or any(kind & SEPARATOR for kind in kinds):
            return None
        return "".join(chr(code + int(self._lower[code])) for code in kept)


def count_words(texts: Iterable[str], folding: Folding) -> Counter[str]:
    """The words of some texts of one language and how often each occurs. Memory: 4,096 texts and the distinct words."""
    found: Counter[str] = Counter()
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if len(batch) == _BATCH:
            _count(batch, folding, found)
            batch = []
    _count(batch, folding, found)
    return found


def _count(batch: list[str], folding: Folding, found: Counter[str]) -> None:
    # Lines are joined, so a word ends at the end of its text.
    offsets, data = text_buffers(pa.array(["\n".join(batch)], pa.large_string()))
    spans = cut_word_spans(data, 0, len(data), word_begins(offsets, data))
    hashes = hash_spans(data, spans, FOLD_CASE | DROP_PUNCTUATION)
    _, first, counts = np.unique(hashes, return_index=True, return_counts=True)
    for (start, stop), count in zip(spans[first].tolist(), counts.tolist(), strict=True):
        word = folding.fold(data[start:stop].tobytes().decode(errors="replace"))
        if word is not None:
            found[word] += count


def shares(sources: Mapping[str, Mapping[str, int]]) -> dict[str, float]:
    """Word -> share of all words, the mean over the sources, so that a large one does not drown a small one.

    A domain's own words ("God" in a Bible, "page" in messages of a wiki) are frequent in one source only.
    """
    result: dict[str, float] = {}
    counted = {name: total for name, words in sorted(sources.items()) if (total := sum(words.values()))}
    for name, total in counted.items():
        for word, count in sources[name].items():
            result[word] = result.get(word, 0.0) + count / total / len(counted)
    result.pop(OTHERS, None)
    return result
