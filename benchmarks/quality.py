"""Quality scores and decisions beside datatrove's three filters, on the same texts in one run and on one core.

datatrove's word tokeniser is replaced by a split at white space, which flatters it: with its default, spaCy, it is
about eight times slower. Its filters run in their usual order and stop at the first that drops; ours computes every
score of every document. Usage: `python benchmarks/quality.py [TEXTS.jsonl.gz] [--rounds N]`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
from datatrove.data import Document
from datatrove.pipeline.filters import FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
from datatrove.utils.word_tokenizers import WordTokenizer

from lauter.pipeline.contract import StageContext
from lauter.stages.quality import PUBLISHED, Quality


class WhiteSpace(WordTokenizer):  # type: ignore[misc]
    """Words as `str.split` cuts them."""

    def __init__(self) -> None:
        pass

    def word_tokenize(self, text: str) -> list[str]:
        """Cut at white space."""
        return text.split()

    def sent_tokenize(self, text: str) -> list[str]:
        """No filter here asks for sentences."""
        raise NotImplementedError

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        """No filter here asks for spans."""
        raise NotImplementedError


def read_texts(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [text for line in lines if (text := json.loads(line)["gt"].get("text"))]


def best(run: Callable[[], int], rounds: int) -> tuple[float, int]:
    """CPU seconds of the fastest round, and what `run` returned."""
    times, kept = [], 0
    for _ in range(rounds):
        start = time.process_time()
        kept = run()
        times.append(time.process_time() - start)
    return min(times), kept


def compare(texts: Sequence[str], rounds: int) -> None:
    stage = Quality(PUBLISHED, StageContext())
    stage.open()
    batch = pa.RecordBatch.from_pydict(
        {"text": pa.array(texts, pa.large_string()), "language": pa.array(["eng_Latn"] * len(texts))}
    )
    splitter = WhiteSpace()
    filters = [
        GopherQualityFilter(language=splitter),
        GopherRepetitionFilter(language=splitter),
        FineWebQualityFilter(language=splitter),
    ]

    def ours() -> int:
        scores = pa.RecordBatch.from_pydict(dict(stage.apply(batch).columns), schema=stage.scores)
        return int(stage.decide(scores).keep.sum())

    def theirs() -> int:
        return sum(all(each.filter(document) is True for each in filters) for document in documents)

    documents = [Document(text=text, id="") for text in texts]
    ours()  # compiles
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    results = {"lauter": best(ours, rounds), "datatrove": best(theirs, max(1, rounds // 3))}
    print(f"{len(texts)} texts, {megabytes:.1f} MB")
    for name, (seconds, kept) in results.items():
        print(f"{name:10} {megabytes / seconds:7.1f} MB/s {len(texts) / seconds:9.0f} docs/s   kept {kept}")
    print(f"ratio {results['datatrove'][0] / results['lauter'][0]:.1f}")


def main() -> None:
    root = Path(os.environ.get("LAUTER_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", nargs="?", type=Path, default=root / "ground_truth.jsonl.gz")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    compare(read_texts(arguments.texts), arguments.rounds)


if __name__ == "__main__":
    main()
