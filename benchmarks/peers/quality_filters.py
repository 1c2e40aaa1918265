"""datatrove's quality filters with a splitter of ours, and the thresholds of ours that are theirs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.utils.word_tokenizers import WordTokenizer

from lauter.pipeline.contract import StageContext
from lauter.stages.kernels.sentences import sentence_spans
from lauter.stages.quality import PUBLISHED, Quality, QualityConfig
from lauter.stages.quality.rules import RULES
from lauter.stages.quality.thresholds import C4Lines

STOP_WORDS = "[the, be, to, of, and, that, have, with]"
"""Those of MassiveText (arXiv 2112.11446, section A.1.1)."""
C4: Mapping[str, Any] = {"min_c4_sentences": 5, "max_lorem_ipsum_lines": 0, "max_curly_bracket_lines": 0}
"""C4's thresholds, for documents."""


class Splitter(WordTokenizer):  # type: ignore[misc]
    """Words by any function; sentences as Lauter cuts them."""

    def __init__(self, words: Callable[[str], list[str]]) -> None:
        self._words = words

    def word_tokenize(self, text: str) -> list[str]:
        """Cut into words."""
        return self._words(text)

    def sent_tokenize(self, text: str) -> list[str]:
        """Cut into sentences."""
        return [text[first:last] for first, last in self.span_tokenize(text)]

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        """Places of the sentences, in code points."""
        data = np.frombuffer(text.encode(), np.uint8)
        spans = sentence_spans(data, 0, len(data))
        # Bytes that begin a character, up to each place.
        before = np.concatenate(([0], np.cumsum(data & 0xC0 != 0x80)))
        return [(int(before[first]), int(before[last])) for first, last in spans.tolist()]


def filters(splitter: WordTokenizer) -> dict[str, Any]:
    """Filters of datatrove by the name of our family, with their defaults."""
    return {
        "gopher-quality": GopherQualityFilter(language=splitter),
        "gopher-repetition": GopherRepetitionFilter(language=splitter),
        "fineweb-quality": FineWebQualityFilter(language=splitter),
        "c4": C4QualityFilter(language=splitter),
    }


def thresholds(family: str, stop_words: str) -> QualityConfig:
    """The rules of one family alone; the threshold of repeated lines has a value of Gopher's and one of FineWeb's."""
    others = {rule.threshold: None for rule in RULES if rule.family != family}
    shared = {"gopher-repetition": 0.2, "fineweb-quality": 0.01}.get(family)
    own: dict[str, Any] = {**C4, "c4": C4Lines()} if family == "c4" else {}
    words = {"stop_words": stop_words, "exact_stop_words": True, "max_duplicate_line_char_ratio": shared}
    return PUBLISHED.model_copy(update={**others, **words, **own})


def ours(texts: Sequence[str], families: Sequence[str]) -> dict[str, list[bool]]:
    """Family -> whether Lauter keeps each text."""
    batch = pa.RecordBatch.from_pydict(
        {"text": pa.array(texts, pa.large_string()), "language": pa.array(["eng_Latn"] * len(texts))}
    )
    kept = {}
    with tempfile.TemporaryDirectory() as folder:
        words = Path(folder) / "words.yaml"
        words.write_text(f"format: 1\nlabels:\n  eng_Latn: {{stop_words: {STOP_WORDS}}}\n")
        for family in families:
            stage = Quality(thresholds(family, str(words)), StageContext())
            stage.open()
            columns = {**dict(stage.apply(batch).columns), "language": batch.column("language")}
            kept[family] = [bool(keep) for keep in stage.decide(pa.RecordBatch.from_pydict(columns)).keep]
    return kept


def theirs(texts: Sequence[str], words: Callable[[str], list[str]]) -> dict[str, list[bool]]:
    """Family -> whether datatrove keeps each text."""
    splitter = Splitter(words)
    return {family: [_keeps(each, text) for text in texts] for family, each in filters(splitter).items()}


def _keeps(each: Any, text: str) -> bool:  # noqa: ANN401 - a filter of datatrove
    try:
        return each.filter(Document(text=text, id="")) is True
    except ZeroDivisionError:
        # A text without a line or a word, which ours drops for that.
        return False
