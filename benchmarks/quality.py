"""Quality scores and decisions beside datatrove's filters, on the same texts in one run and on one core.

    python benchmarks/quality.py [TEXTS.jsonl.gz] [--rounds N] [--default-share N]

Twice: with words that are split at white space, which flatters datatrove, on all texts; and with datatrove's default,
spaCy, on every nth of them, since it takes minutes for all. Its Gopher and FineWeb filters run in their usual order and
stop at the first that drops; Lauter computes every score of every document. CPU seconds, the fastest of some rounds.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from datatrove.data import Document
from datatrove.pipeline.filters import FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
from datatrove.utils.text import split_into_parts
from datatrove.utils.typeshelper import Languages

from benchmarks.peers.quality_filters import STOP_WORDS, Splitter
from lauter.pipeline.contract import StageContext
from lauter.stages.quality import PUBLISHED, Quality, QualityConfig
from lauter.stages.quality.thresholds import C4Lines


def read_texts(path: Path) -> list[str]:
    """The texts of the public pages."""
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


def lauter(texts: Sequence[str], config: QualityConfig) -> Callable[[], int]:
    """A run over all texts, compiled."""
    stage = Quality(config, StageContext())
    stage.open()
    batch = pa.RecordBatch.from_pydict(
        {"text": pa.array(texts, pa.large_string()), "language": pa.array(["eng_Latn"] * len(texts))}
    )

    def run() -> int:
        columns = dict(stage.apply(batch).columns)
        return int(stage.decide(pa.RecordBatch.from_pydict(columns, schema=stage.scores)).keep.sum())

    run()
    return run


def datatrove(texts: Sequence[str], language: Any) -> Callable[[], int]:  # noqa: ANN401 - a name or a splitter
    """A run over all texts with datatrove's filters."""
    filters = [
        GopherQualityFilter(language=language),
        GopherRepetitionFilter(language=language),
        FineWebQualityFilter(language=language),
    ]
    documents = [Document(text=text, id="") for text in texts]

    def run() -> int:
        # Words of the last texts are remembered.
        split_into_parts.cache_clear()
        return sum(all(each.filter(document) is True for each in filters) for document in documents)

    return run


def compare(texts: Sequence[str], language: Any, rounds: tuple[int, int]) -> float:  # noqa: ANN401 - as above
    """Print both, and how many times the CPU time of Lauter's datatrove takes."""
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        words = Path(folder) / "words.yaml"
        words.write_text(f"format: 1\nlabels:\n  eng_Latn: {{stop_words: {STOP_WORDS}}}\n")
        config = PUBLISHED.model_copy(update={"stop_words": str(words), "exact_stop_words": True})
        results = {
            "lauter": best(lauter(texts, config), rounds[0]),
            "lauter, c4 too": best(lauter(texts, config.model_copy(update={"c4": C4Lines()})), rounds[0]),
            "datatrove": best(datatrove(texts, language), rounds[1]),
        }
    for name, (seconds, kept) in results.items():
        print(f"  {name:14} {megabytes / seconds:7.2f} MB/s {len(texts) / seconds:9.0f} docs/s   kept {kept}")
    return results["datatrove"][0] / results["lauter"][0]


def main() -> None:
    """Print both comparisons."""
    root = Path(os.environ.get("LAUTER_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="?", type=Path, default=root / "ground_truth.jsonl.gz")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--default-share", type=int, default=8, help="With spaCy every nth text alone. Default: 8.")
    arguments = parser.parse_args()
    texts = read_texts(arguments.texts)
    print(f"{len(texts)} texts, {sum(len(text.encode()) for text in texts) / 1e6:.1f} MB, words between white space")
    plain = compare(texts, Splitter(str.split), (arguments.rounds, max(1, arguments.rounds // 3)))
    some = texts[:: arguments.default_share]
    print(f"{len(some)} of them, words as datatrove cuts them by default (spaCy)")
    default = compare(some, Languages.english, (arguments.rounds, 1))
    print(f"ratio {plain:.1f} with the same plain words, {default:.1f} with datatrove's defaults")


if __name__ == "__main__":
    main()
