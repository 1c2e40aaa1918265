"""FineWeb's pipeline in datatrove 0.10.1: the peer of `end_to_end.py`.

The order of steps is that of the FineWeb script that comes with datatrove, without its list of blocked URLs:

    WarcReader, Trafilatura, LanguageFilter, GopherRepetition, GopherQuality, C4Quality, FineWebQuality, JSONL
    MinHash 1 to 4 (14 x 8 hashes of five words), PIIFormatter, DocumentTokenizer

Each pipeline is a LocalPipelineExecutor with one worker. Parameters are datatrove's defaults except where it would be
unfair or impossible: see `run`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def run(warc: Path, out: Path, tokenizer: Path, language_model: Path, *, plain_words: bool, fast: bool) -> list[Any]:
    """Run all pipelines over `warc/*.warc.gz`; returns the statistics of every step, in order.

    `plain_words` hands a word splitter of one regular expression to every step that takes a language, in place of
    spaCy; `fast` passes `fast=True` to trafilatura. Tokens end in `out/tokens`.
    """
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline import dedup, extractors, filters, formatters, readers, tokens, writers
    from datatrove.utils.lid import FT176LID
    from datatrove.utils.typeshelper import Languages
    from loguru import logger

    logger.remove()
    # Copied to datatrove's cache as lid.176.bin would be downloaded; the default is the larger form of the same model.
    FT176LID.MODEL_URL = str(language_model)
    words = plain_word_splitter() if plain_words else Languages.english
    extraction = {"fast": True} if fast else {}
    text, signatures, buckets, removed = (str(out / name) for name in ("text", "signatures", "buckets", "removed"))
    pipelines: Sequence[tuple[int, list[Any]]] = (
        (
            1,
            [
                readers.WarcReader(str(warc), glob_pattern="*.warc.gz"),
                # Its default, deduplication by a cache over the process, makes a page's text depend on those before
                # it. The default timeout of 1 s would cost pages when another process takes the core.
                extractors.Trafilatura(deduplicate=False, timeout=30, **extraction),
                filters.LanguageFilter(),
                filters.GopherRepetitionFilter(language=words),
                filters.GopherQualityFilter(language=words),
                filters.C4QualityFilter(filter_no_terminal_punct=False, language=words),
                filters.FineWebQualityFilter(language=words),
                writers.JsonlWriter(text),
            ],
        ),
        (1, [readers.JsonlReader(text), dedup.MinhashDedupSignature(signatures, language=words)]),
        # One task per bucket is the least that it takes.
        (14, [dedup.MinhashDedupBuckets(signatures, buckets)]),
        (1, [dedup.MinhashDedupCluster(buckets, removed)]),
        (
            1,
            [
                readers.JsonlReader(text),
                dedup.MinhashDedupFilter(removed),
                formatters.PIIFormatter(),
                tokens.DocumentTokenizer(str(out / "tokens"), str(tokenizer), eos_token="</s>", seed=1),
            ],
        ),
    )
    done: list[Any] = []
    for index, (tasks, steps) in enumerate(pipelines):
        logs = str(out / "logs" / str(index))
        done += LocalPipelineExecutor(steps, tasks=tasks, workers=1, logging_dir=logs).run().stats
    return done


def plain_word_splitter() -> Any:  # noqa: ANN401 - datatrove has no types
    """Words and single marks by one regular expression, sentences by another."""
    from datatrove.utils.word_tokenizers import WordTokenizer

    word, sentence = re.compile(r"\w+|[^\w\s]"), re.compile(r"[^.!?]+[.!?]*")

    class PlainWords(WordTokenizer):  # type: ignore[misc]
        """In datatrove's place for a tokenizer of one's own."""

        def __init__(self) -> None:
            pass

        def word_tokenize(self, text: str) -> list[str]:
            """Words and marks."""
            return word.findall(text)

        def sent_tokenize(self, text: str) -> list[str]:
            """Sentences, without outer white space."""
            return [found for part in sentence.findall(text) if (found := part.strip())]

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            """Where the sentences stand."""
            return [match.span() for match in sentence.finditer(text)]

    return PlainWords()
