"""MinHash signatures per core: Lauter beside datatrove and, where it is installed, rensa, on the same real texts.

Every tool makes 112 hashes over runs of five words. datatrove gets a plain white space word splitter instead of its
default tokenizer, which is many times slower; its own text normalisation stays. rensa has no text step: it is given
runs of lower-case white space words, joined in Python. Seconds are CPU seconds of the process, the best of `PASSES`.

    python benchmarks/minhash.py          needs the extra `bench`; texts are found through LAUTER_TEST_DATA
"""

from __future__ import annotations

import gzip
import importlib
import importlib.util
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa

from lauter.stages.dedup.stage import Dedup, DedupConfig
from lauter.stages.kernels.minhash import permutations, signatures
from lauter.stages.kernels.words import DROP_PUNCTUATION, FOLD_CASE, FOLD_DIGITS, text_buffers

PASSES = 3
NGRAM = 5
HASHES = 112
DATA = Path(os.environ.get("LAUTER_TEST_DATA") or Path(__file__).parents[1] / ".." / "shared" / "data")


class WhiteSpaceWords:
    """The word splitter that datatrove's step is given."""

    def word_tokenize(self, text: str) -> list[str]:
        """White space words of a text."""
        return text.split()


def read_texts(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        texts = (json.loads(line)["gt"].get("text") for line in lines)
        return [text for text in texts if text]


def lauter_signatures(texts: list[str]) -> Callable[[], object]:
    buffers = text_buffers(pa.array(texts, pa.large_string()))
    drawn = permutations(0, HASHES)
    flags = FOLD_CASE | DROP_PUNCTUATION | FOLD_DIGITS
    return lambda: signatures(buffers.data, buffers.offsets, flags, NGRAM, NGRAM, drawn.multiplier, drawn.increment)


def lauter_stage(texts: list[str]) -> Callable[[], object]:
    stage = Dedup(DedupConfig())
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    return lambda: stage.emit(batch)


def datatrove_signatures(texts: list[str], folder: str) -> Callable[[], object]:
    from datatrove.pipeline.dedup import MinhashDedupSignature

    step = MinhashDedupSignature(output_folder=folder)
    step.word_tokenizer = WhiteSpaceWords()

    def sign() -> None:
        for text in texts:
            shingles = step.get_shingles(text)
            if shingles.size:
                step.get_signature(shingles)

    return sign


def rensa_signatures(texts: list[str]) -> Callable[[], object]:
    rensa = importlib.import_module("rensa")

    def sign() -> None:
        for text in texts:
            words = text.lower().split()
            minhash = rensa.RMinHash(num_perm=HASHES, seed=0)
            minhash.update([" ".join(words[start : start + NGRAM]) for start in range(len(words) - NGRAM + 1)])
            minhash.digest()

    return sign


def cpu_seconds(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(PASSES):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def main() -> int:
    path = DATA / "ground_truth.jsonl.gz"
    if not path.exists():
        print(f"no {path.name} under LAUTER_TEST_DATA: nothing measured")
        return 1
    texts = read_texts(path)
    size = sum(len(text.encode()) for text in texts) / 1e6
    print(f"{len(texts):,} texts, {size:.1f} MB of UTF-8, {NGRAM}-word shingles, {HASHES} hashes, one core")
    lauter_signatures(texts[:2])()  # Compiles, or loads the compiled kernels.
    lauter_stage(texts[:2])()
    with tempfile.TemporaryDirectory() as folder:
        tools = [
            ("lauter, signatures", lauter_signatures(texts)),
            ("lauter, stage (exact and band keys)", lauter_stage(texts)),
        ]
        peers = {"datatrove": partial(datatrove_signatures, texts, folder), "rensa": partial(rensa_signatures, texts)}
        for name, peer in peers.items():
            if importlib.util.find_spec(name):
                tools.append((name, peer()))
            else:
                print(f"{name} is not installed: left out")
        rates = {name: size / cpu_seconds(work) for name, work in tools}
    ours = rates["lauter, signatures"]
    for name, rate in rates.items():
        print(f"{name:36} {rate:7.1f} MB/s {rate / size * len(texts):10,.0f} docs/s   ours is {ours / rate:6.1f} x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
