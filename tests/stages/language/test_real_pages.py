"""The stage on real pages: some that declare their language, extracted as a build does it, and judged with defaults."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import fasttext
import numpy as np
import pyarrow as pa
import pytest

from lauter.pipeline.contract import StageContext
from lauter.stages.extract import Extract, ExtractConfig
from lauter.stages.language import LanguageConfig
from lauter.stages.language.labels import support, wikipedia_labels
from lauter.stages.language.labels.registry import resolve
from tests.stages.extract.pages import records, warc
from tests.stages.language.test_stage import MODEL, opened

DATA = Path(os.environ.get("LAUTER_TEST_DATA") or Path(__file__).parents[3] / ".." / "shared" / "data")
# One page in twelve, from each set: 175 pages in 33 languages.
STEP = 12
# Where lid.176 is less sure than this, a page is for the most part not translated, and English is no wrong answer.
SURE = 0.5


@cache
def declared() -> Mapping[str, str]:
    """Language, as in `pt-BR`, of the pages that declare it, by record."""
    path = DATA / "ground_truth.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"test data {path.name} is not there (LAUTER_TEST_DATA)")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return {row["record_id"]: row["gt"]["lang"] for row in rows if row["id"].startswith("docs-")}


@cache
def pages() -> list[tuple[str, str]]:
    """Language and text of one declared page in twelve whose language lid.176 confirms."""
    of = declared()
    sets = ("docs-libreoffice", "docs-debian", "docs-w3c-i18n")
    chosen = [page for name in sets for page in warc(f"warc/{name}.warc.gz") if page.record_id in of][::STEP]
    extract = Extract(ExtractConfig(backend="resiliparse"), StageContext())
    try:
        texts = extract.apply(records([page.payload for page in chosen])).columns["text"].to_pylist()
    finally:
        extract.close()
    model = fasttext.load_model(str(MODEL))
    answers, probabilities = model.predict([(text or "").replace("\n", " ") for text in texts], 1)
    found = []
    for page, text, answer, sure in zip(chosen, texts, answers, probabilities, strict=True):
        language = of[page.record_id].split("-")[0]
        if (
            text
            and sure[0] >= SURE
            and alike(wikipedia_labels()[answer[0].removeprefix("__label__")].language, language)
        ):
            found.append((language, text))
    return found


def alike(code: str, language: str) -> bool:
    return resolve(code, {language}) is not None or resolve(language, {code}) is not None


def identify(texts: list[str]) -> tuple[list[str], list[bool]]:
    """The label of each text, and whether it is kept."""
    stage = opened(LanguageConfig())
    columns = stage.apply(pa.record_batch({"text": pa.array(texts, pa.large_string())})).columns
    reasons = stage.decide(pa.record_batch({name: columns[name] for name in stage.scores.names})).reason
    return columns["language"].cast(pa.string()).to_pylist(), (reasons == 0).tolist()


@pytest.mark.slow
def test_pages_are_in_the_language_that_they_declare() -> None:
    languages, texts = zip(*pages(), strict=True)
    assert len(set(languages)) > 25
    labels, kept = identify(list(texts))
    right = [alike(label[:3], language) for label, language in zip(labels, languages, strict=True)]
    wrong = [pair for pair, is_right in zip(zip(languages, labels, strict=True), right, strict=True) if not is_right]
    assert np.mean(right) >= 0.97, wrong
    assert np.mean(kept) >= 0.85


@pytest.mark.slow
def test_paragraphs_of_large_languages_are_taken_for_no_language_with_thin_evidence() -> None:
    found = [
        line for language, text in pages() if language in ("en", "de", "fr", "ru", "zh") for line in text.split("\n")
    ]
    paragraphs = sorted({line for line in found if len(line) >= 60})
    assert len(paragraphs) > 500
    table = support.embedded()
    labels, kept = identify(paragraphs)
    thin = [
        (label, line)
        for label, line, is_kept in zip(labels, paragraphs, kept, strict=True)
        if is_kept and label in table and table[label].is_thin
    ]
    assert len(thin) <= 0.001 * len(paragraphs), thin
