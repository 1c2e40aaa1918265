"""The real texts, and datatrove's three filters with a splitter at white space instead of its tokeniser."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

DATA = Path(os.environ.get("LAUTER_TEST_DATA") or Path(__file__).parents[4] / "shared" / "data")


def english_texts() -> list[str]:
    """Hand-made extractions of real pages that are labelled English, or not labelled and at least 90 % ASCII."""
    path = DATA / "ground_truth.jsonl.gz"
    if not path.exists():
        pytest.skip("ground_truth.jsonl.gz is not under LAUTER_TEST_DATA")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        truths = [json.loads(line)["gt"] for line in lines]
    texts = [truth["text"] for truth in truths if truth.get("text") and truth.get("lang", "en").startswith("en")]
    return [text for text in texts if sum(map(str.isascii, text)) > 0.9 * len(text)]


def datatrove_filters() -> dict[str, Any]:
    """datatrove's filters by the name of our family, with their defaults."""
    pytest.importorskip("datatrove", reason="datatrove is in the extra `bench`")
    from datatrove.pipeline.filters import FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
    from datatrove.utils.word_tokenizers import WordTokenizer

    class Splitter(WordTokenizer):  # type: ignore[misc]
        def __init__(self) -> None:
            pass

        def word_tokenize(self, text: str) -> list[str]:
            return text.split()

        def sent_tokenize(self, text: str) -> list[str]:
            return [text]

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            return [(0, len(text))]

    splitter = Splitter()
    return {
        "gopher-quality": GopherQualityFilter(language=splitter),
        "gopher-repetition": GopherRepetitionFilter(language=splitter),
        "fineweb-quality": FineWebQualityFilter(language=splitter),
    }
