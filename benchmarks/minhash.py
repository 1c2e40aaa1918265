"""MinHash signatures per core, and how exact they are: Lauter beside datatrove, rensa and text-dedup on the same texts.

Every tool makes 112 hashes over runs of five words. datatrove gets a plain white space word splitter instead of its
default tokenizer, which is many times slower; its own text normalisation stays. rensa has no text step: it is given
runs of lower-case white space words, joined in Python. text-dedup splits words itself. Seconds are CPU seconds of the
process, the best of `PASSES`. Errors are those of the estimated Jaccard similarity of pairs whose similarity is known,
beside what theory says of so many hashes.

    python benchmarks/minhash.py          needs the extra `bench`; texts are found through LAUTER_TEST_DATA

A peer that is not installed is left out. `--peers FOLDER` looks for peers in another environment's site-packages too:
what text-dedup pins can't stand beside what Lauter needs.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import importlib.util
import json
import math
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.stages.dedup.config import DedupConfig
from lauter.stages.dedup.stage import Dedup
from lauter.stages.kernels.minhash import permutations, signatures
from lauter.stages.kernels.sketch import CHANCE, SKETCH_BYTES, agreeing, sketches, standard_error
from lauter.stages.kernels.words import DROP_PUNCTUATION, FOLD_CASE, FOLD_DIGITS, text_buffers

PASSES = 3
NGRAM = 5
HASHES = SKETCH_BYTES
PAIRS = 1000
FLAGS = FOLD_CASE | DROP_PUNCTUATION | FOLD_DIGITS
DATA = Path(os.environ.get("LAUTER_TEST_DATA") or Path(__file__).parents[1] / ".." / "shared" / "data")

Texts = Sequence[str]


@dataclass(frozen=True)
class Tool:
    """One way to sign texts."""

    name: str
    sign: Callable[[Texts], Callable[[], object]]
    """Prepares for some texts what is timed."""
    agreement: Callable[[Texts], NDArray[np.float64]] | None = None
    """Estimated similarity of each pair (0, 1), (2, 3), …; None where it is not measured."""
    bytes: int = 0
    """Of what the estimate is made of."""


class WhiteSpaceWords:
    """The word splitter that datatrove's step is given."""

    def word_tokenize(self, text: str) -> list[str]:
        """White space words of a text."""
        return text.split()


def read_texts(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        texts = (json.loads(line)["gt"].get("text") for line in lines)
        return [text for text in texts if text]


def runs_of(text: str) -> list[str]:
    words = text.lower().split()
    return [" ".join(words[start : start + NGRAM]) for start in range(len(words) - NGRAM + 1)]


def of_neighbours(signed: Sequence[Sequence[object]]) -> NDArray[np.float64]:
    """The share of hashes in which each pair of signatures agrees."""
    array = np.array(signed)
    share: NDArray[np.float64] = (array[0::2] == array[1::2]).mean(axis=1)
    return share


def lauter() -> list[Tool]:
    drawn = permutations(0, HASHES)

    def minima(texts: Texts) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        buffers = text_buffers(pa.array(texts, pa.large_string()))
        return signatures(buffers.data, buffers.offsets, FLAGS, NGRAM, NGRAM, *drawn)

    def sign(texts: Texts) -> Callable[[], object]:
        buffers = text_buffers(pa.array(texts, pa.large_string()))
        return lambda: sketches(*signatures(buffers.data, buffers.offsets, FLAGS, NGRAM, NGRAM, *drawn))

    def stage(texts: Texts) -> Callable[[], object]:
        made = Dedup(DedupConfig())
        batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
        return lambda: made.sign(batch)

    def estimates(texts: Texts) -> NDArray[np.float64]:
        made = sketches(*minima(texts))
        share = agreeing(np.ascontiguousarray(made[0::2]), np.ascontiguousarray(made[1::2])) / HASHES
        return (share - CHANCE) / (1 - CHANCE)

    return [
        Tool("lauter, signatures and sketches", sign, estimates, HASHES),
        Tool("lauter, whole minima", sign, lambda texts: of_neighbours(minima(texts)[0].tolist()), 4 * HASHES),
        Tool("lauter, stage (items, keys, sketches)", stage),
    ]


def datatrove(folder: str) -> Tool:
    module = importlib.import_module("datatrove.pipeline.dedup")
    step = module.MinhashDedupSignature(output_folder=folder)
    step.word_tokenizer = WhiteSpaceWords()

    def signed(text: str) -> list[int]:
        shingles = step.get_shingles(text)
        return [value for bucket in step.get_signature(shingles) for value in bucket] if shingles.size else []

    return Tool("datatrove", _each(signed), lambda texts: of_neighbours([signed(text) for text in texts]), 8 * HASHES)


def rensa() -> Tool:
    module: Any = importlib.import_module("rensa")

    def signed(text: str) -> list[int]:
        minhash = module.RMinHash(num_perm=HASHES, seed=0)
        minhash.update(runs_of(text))
        digest: list[int] = minhash.digest()
        return digest

    return Tool("rensa", _each(signed), lambda texts: of_neighbours([signed(text) for text in texts]), 4 * HASHES)


def text_dedup() -> Tool:
    module: Any = importlib.import_module("text_dedup.minhash")
    prime, largest = np.uint64((1 << 61) - 1), np.uint32((1 << 32) - 1)
    draw = np.random.RandomState(42)
    drawn = (
        draw.randint(1, prime, size=HASHES, dtype=np.uint64),
        draw.randint(0, prime, size=HASHES, dtype=np.uint64),
    )

    def signed(text: str, width: int = 8) -> list[bytes]:
        found: list[bytes] = module.embed_func(
            text,
            0,
            num_perm=HASHES,
            ngram_size=NGRAM,
            min_length=NGRAM,
            hashranges=[(start, start + width) for start in range(0, HASHES, width)],
            permutations=drawn,
            hash_func=module.xxh3_32hash,
            dtype=np.uint64,
            max_hash=largest,
            modulo_prime=prime,
        )[module.SIGNATURE_COLUMN]
        return found

    return Tool(
        "text-dedup", _each(signed), lambda texts: of_neighbours([signed(text, 1) for text in texts]), 4 * HASHES
    )


def _each(signed: Callable[[str], object]) -> Callable[[Texts], Callable[[], object]]:
    def prepare(texts: Texts) -> Callable[[], object]:
        def sign() -> None:
            for text in texts:
                signed(text)

        return sign

    return prepare


def planted_pairs() -> tuple[list[str], NDArray[np.float64]]:
    """Texts, two of a pair one after the other, and the similarity of each pair: 0.1 to 1, of 200 runs of words."""
    draw = random.Random(0)
    texts: list[str] = []
    truth = np.empty(PAIRS)
    for pair in range(PAIRS):
        shared = draw.randrange(20, 201, 2)
        words = ["".join(draw.choices("bcdfghjklmnpqrstvwxz", k=8)) for _ in range(200 + NGRAM - 1)]
        beginning, ends = words[: shared + NGRAM - 1], words[shared + NGRAM - 1 :]
        half = len(ends) // 2
        texts += [" ".join(beginning + ends[:half]), " ".join(beginning + ends[half:])]
        truth[pair] = shared / 200
    return texts, truth


def cpu_seconds(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(PASSES):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def root_mean_square(error: NDArray[np.float64]) -> float:
    return math.sqrt(float(np.mean(error**2)))


def tools(folder: str) -> list[Tool]:
    found = lauter()
    peers: dict[str, Callable[[], Tool]] = {
        "datatrove": lambda: datatrove(folder),
        "rensa": rensa,
        "text_dedup": text_dedup,
    }
    for name, peer in peers.items():
        if importlib.util.find_spec(name):
            found.append(peer())
        else:
            print(f"{name} is not installed: left out")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", metavar="FOLDER", help="site-packages of another environment")
    given = parser.parse_args()
    if given.peers:
        sys.path.append(given.peers)
    path = DATA / "ground_truth.jsonl.gz"
    if not path.exists():
        print(f"no {path.name} under LAUTER_TEST_DATA: nothing measured")
        return 1
    texts = read_texts(path)
    size = sum(len(text.encode()) for text in texts) / 1e6
    pairs, truth = planted_pairs()
    print(f"{len(texts):,} texts, {size:.1f} MB of UTF-8, {NGRAM}-word shingles, {HASHES} hashes, one core")
    with tempfile.TemporaryDirectory() as folder:
        measured = tools(folder)
        for tool in measured[:3]:
            tool.sign(texts[:2])()  # Compiles, or loads the compiled kernels.
        rates = [size / cpu_seconds(tool.sign(texts)) for tool in measured]
        for tool, rate in zip(measured, rates, strict=True):
            ratio = f"ours is {rates[0] / rate:6.1f} x"
            print(f"{tool.name:40} {rate:7.1f} MB/s {rate / size * len(texts):10,.0f} docs/s   {ratio}")
        sketch = math.sqrt(float(np.mean([standard_error(float(value)) ** 2 for value in truth])))
        whole = math.sqrt(float(np.mean(truth * (1 - truth))) / HASHES)
        print(
            f"error of the estimated Jaccard similarity of {PAIRS:,} pairs; "
            f"theory: sketches {sketch:.4f}, hashes {whole:.4f}"
        )
        for tool in measured:
            if tool.agreement:
                error = tool.agreement(pairs) - truth
                print(
                    f"{tool.name:40} {tool.bytes:4} bytes   root mean square {root_mean_square(error):.4f}   "
                    f"bias {error.mean():+.4f}"
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
