"""Stop words by language, as hashes that the kernel compares.

The built-in lists are of 428 languages. `lauter lang thresholds` made them with manifests/languages/reference.yaml, as
their head says, and each was seen to work on text from elsewhere. FineWeb-2's of 1,929 languages, unchecked, are had by
`stop_words: manifests/languages/fineweb2-words.yaml`.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import as_file, files
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.stages.kernels.quality import MAX_STOP_WORDS
from lauter.stages.kernels.words import DROP_PUNCTUATION, FOLD_CASE, hash_whole
from lauter.stages.languages_file import LanguagesFile, Stamp, stamp


class StopWords(NamedTuple):
    """All lists in one array: the words of a label are `hashes[slice(*spans[label])]`."""

    hashes: NDArray[np.uint64]
    """Shape (words,)."""
    spans: dict[str, tuple[int, int]]

    def span(self, label: str) -> tuple[int, int] | None:
        """The place of a label's words; for "srp_Cyrl" a list of the bare language serves too. None without a list."""
        return self.spans.get(label) or self.spans.get(label.partition("_")[0])


FOLDED = FOLD_CASE | DROP_PUNCTUATION
"""How words are hashed where case and punctuation do not matter; 0 for words as they are written."""


def load_stop_words(path: str | None = None, flags: int = FOLDED) -> StopWords:
    """Read the stop words of a languages file, or the built-in ones; once per process, and again what was changed.

    `flags`: FOLDED or 0.

    Raises:
        ValueError: It is no languages file, or a label has more than 64 words; with the file.
        OSError: It cannot be read.
    """
    if path is None:
        with as_file(files(__package__) / "stop_words.yaml") as built_in:
            return load_stop_words(str(built_in), flags)
    return _load(stamp(path), flags)


@lru_cache(maxsize=3)
def _load(file: Stamp, flags: int) -> StopWords:
    hashes: list[NDArray[np.uint64]] = []
    spans: dict[str, tuple[int, int]] = {}
    total = 0
    for label, entry in LanguagesFile(file.path).entries.items():
        if entry.stop_words is None:
            continue
        texts = [np.frombuffer(word.encode(), np.uint8) for word in entry.stop_words]
        words = np.unique(np.array([hash_whole(text, 0, len(text), flags) for text in texts], np.uint64))
        words = words[words != 0]
        if len(words) > MAX_STOP_WORDS:
            raise ValueError(
                f"{file.path}: {label}: {len(words)} stop words, at most {MAX_STOP_WORDS} can be told apart"
            )
        spans[label] = total, total + len(words)
        hashes.append(words)
        total += len(words)
    return StopWords(np.concatenate(hashes) if hashes else np.empty(0, np.uint64), spans)
