"""Stop words by language, as hashes that the kernel compares."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter

from lauter.pipeline.contract import StageConfig
from lauter.stages.kernels.quality import MAX_STOP_WORDS
from lauter.stages.kernels.words import DROP_PUNCTUATION, FOLD_CASE, word_hashes


class StopWordList(StageConfig):
    """The stop words of one language."""

    codes: tuple[str, ...] = Field(strict=False, min_length=1)
    """Languages that the list is for."""
    scripts: tuple[str, ...] = Field(strict=False, min_length=1)
    """Scripts that the words are written in. The list is for the labels `code` and `code_script`."""
    words: str
    """The words, separated by white space."""


class StopWords(NamedTuple):
    """All lists in one array: the words of a label are `hashes[slice(*spans[label])]`."""

    hashes: NDArray[np.uint64]
    """Shape (words,)."""
    spans: dict[str, tuple[int, int]]


def load_stop_words(path: str | None = None) -> StopWords:
    """Read stop-word lists from a YAML file of `StopWordList`s, or the built-in one.

    Raises `ValueError` if a file is not of that form, if a language occurs twice, or if a list has more than 64 words.
    """
    source = files(__package__) / "stop_words.yaml" if path is None else Path(path)
    lists = TypeAdapter(list[StopWordList]).validate_python(yaml.safe_load(source.read_text(encoding="utf-8")))
    hashes: list[NDArray[np.uint64]] = []
    spans: dict[str, tuple[int, int]] = {}
    total = 0
    for entry in lists:
        data = np.frombuffer(entry.words.encode(), np.uint8)
        words = np.unique(word_hashes(data, 0, len(data), FOLD_CASE | DROP_PUNCTUATION))
        if len(words) > MAX_STOP_WORDS:
            raise ValueError(f"{entry.codes[0]}: {len(words)} stop words, at most {MAX_STOP_WORDS} can be told apart")
        labels = [f"{code}_{script}" for code in entry.codes for script in entry.scripts]
        for label in (*entry.codes, *labels):
            if label in spans:
                raise ValueError(f"{label}: two lists of stop words")
            spans[label] = total, total + len(words)
        hashes.append(words)
        total += len(words)
    return StopWords(np.concatenate(hashes) if hashes else np.empty(0, np.uint64), spans)
