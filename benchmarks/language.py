"""Language identification: this stage against the same model called on the whole text for all its labels.

The second is what a pipeline does that asks fastText for every label (k = -1) of every document in full. Both run on
one core, on the same documents, with lid.176.ftz: `python benchmarks/language.py [TEXTS.jsonl.gz]`, default the texts
of `$LAUTER_TEST_DATA/ground_truth.jsonl.gz`.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fasttext
import pyarrow as pa

from lauter.pipeline.contract import StageContext
from lauter.stages.language import Language, LanguageConfig

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "stages" / "language" / "models" / "lid.176.ftz"
DATA = Path(os.environ.get("LAUTER_TEST_DATA", ROOT.parent / "shared" / "data")) / "ground_truth.jsonl.gz"
ROUNDS = 3


def read_texts(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    texts = [row["text"] if "text" in row else row["gt"].get("text") for row in rows]
    return [text for text in texts if text]


def cpu_seconds(run: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best


def main() -> None:
    texts = read_texts(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    model = fasttext.load_model(str(MODEL))
    stage = Language(LanguageConfig(), StageContext())
    stage.open()
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    stage.apply(batch.slice(0, 1))  # compiles the kernel

    ours = cpu_seconds(lambda: stage.apply(batch))
    first = cpu_seconds(lambda: [model.predict(text[:2000].replace("\n", " "), k=1) for text in texts])
    whole = cpu_seconds(lambda: [model.predict(text.replace("\n", " "), k=-1) for text in texts])

    print(f"{len(texts)} texts, {megabytes:.1f} MB, CPU time of one core, best of {ROUNDS}")
    for name, seconds in (
        ("lauter", ours),
        ("fasttext, first 2,000 code points, best label", first),
        ("fasttext, whole text, every label", whole),
    ):
        rate = f"{len(texts) / seconds:>8,.0f} docs/s {megabytes / seconds:>7.1f} MB/s"
        print(f"{name:<48} {rate}   lauter is {seconds / ours:.2f} times as fast")


if __name__ == "__main__":
    main()
