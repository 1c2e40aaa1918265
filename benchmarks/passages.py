"""Keys of repeated passages per core: Lauter beside datatrove's sentence dedup signatures, on the same real texts.

Both make one 64-bit hash a line, and one a span of three sentences. datatrove gets a plain splitter at full stops
instead of its default sentence tokenizer, which is many times slower; its own text normalisation stays. Sentences of
Lauter are those of all scripts (`kernels.sentences`), so the numbers of spans differ. Seconds are CPU seconds of the
process, the best of `PASSES`.

    python benchmarks/passages.py          needs the extra `bench`; texts are found through LAUTER_TEST_DATA
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from lauter.pipeline.contract import StageContext
from lauter.stages.passages.config import PassagesConfig
from lauter.stages.passages.stage import RepeatedPassages

PASSES = 3
DATA = Path(os.environ.get("LAUTER_TEST_DATA") or Path(__file__).parents[1] / ".." / "shared" / "data")
KINDS = {"lines": ("line", 1), "spans of 3 sentences": ("sentence", 3)}


class FullStops:
    """The sentence splitter that datatrove's step is given."""

    def sent_tokenize(self, text: str) -> list[str]:
        """Pieces of a text behind full stops, question and exclamation marks."""
        return re.split(r"(?<=[.!?])\s+", text)


def read_texts(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        texts = (json.loads(line)["gt"].get("text") for line in lines)
        return [text for text in texts if text]


def lauter_keys(texts: list[str], unit: str, window: int) -> Callable[[], int]:
    config = PassagesConfig.model_validate({"unit": unit, "window": window, "min_words": 1})
    stage = RepeatedPassages(config, StageContext())
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    return lambda: len(stage.sign(batch).key)


def datatrove_keys(texts: list[str], unit: str, window: int, folder: str) -> Callable[[], int]:
    from datatrove.data import Document
    from datatrove.pipeline.dedup.sentence_dedup import SentDedupConfig, SentenceDedupSignature

    config = SentDedupConfig(n_sentences=window, split_sentences=unit == "sentence")
    step = SentenceDedupSignature(output_folder=folder, config=config)
    step.tokenizer = FullStops()
    documents = [Document(text=text, id=str(place)) for place, text in enumerate(texts)]
    return lambda: sum(len(step.get_hashes(document, place)) for place, document in enumerate(documents))


def cpu_seconds(work: Callable[[], int]) -> tuple[float, int]:
    best, count = float("inf"), 0
    for _ in range(PASSES):
        start = time.process_time()
        count = work()
        best = min(best, time.process_time() - start)
    return best, count


def main() -> int:
    path = DATA / "ground_truth.jsonl.gz"
    if not path.exists():
        print(f"no {path.name} under LAUTER_TEST_DATA: nothing measured")
        return 1
    texts = read_texts(path)
    size = sum(len(text.encode()) for text in texts) / 1e6
    print(f"{len(texts):,} texts, {size:.1f} MB of UTF-8, one core")
    peer = importlib.util.find_spec("datatrove") is not None
    if not peer:
        print("datatrove is not installed: left out")
    for kind, (unit, window) in KINDS.items():
        lauter_keys(texts[:2], unit, window)()  # Compiles, or loads the compiled kernels.
        with tempfile.TemporaryDirectory() as folder:
            tools = {"lauter": lauter_keys(texts, unit, window)}
            if peer:
                tools["datatrove"] = datatrove_keys(texts, unit, window, folder)
            found = {name: cpu_seconds(work) for name, work in tools.items()}
        ours = found["lauter"][0]
        for name, (seconds, count) in found.items():
            rate = size / seconds
            print(f"{kind:22} {name:10} {rate:7.1f} MB/s {count:10,} keys   ours is {seconds / ours:6.1f} x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
