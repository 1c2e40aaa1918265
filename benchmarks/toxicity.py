"""Speed of the toxicity stage on real pages: the embedded model, the word lists, and a peer where it is installed.

    LAUTER_TEST_DATA=... python -m benchmarks.toxicity

CPU seconds of one process, the best of three, on the main text of the public pages. alt-profanity-check (English, a
linear model over character n-grams of scikit-learn) reads the same texts in one batch.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from benchmarks.gates.toxicity import pages
from lauter.stages.toxicity.embedded import Embedded
from lauter.stages.toxicity.lexicon import Lexicon

MEGABYTES = 6


def best(work: Callable[[], object]) -> float:
    """CPU seconds of the best of three runs, after one that compiles."""
    work()
    seconds = []
    for _ in range(3):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def main() -> None:
    """Print MB/s of each, and ours as a multiple of the peer's."""
    found = pages()
    sizes = np.cumsum([len(text.encode()) for text, _ in found])
    found = found[: int(np.searchsorted(sizes, MEGABYTES * 1e6))]
    megabytes = sum(len(text.encode()) for text, _ in found) / 1e6
    texts = [text for text, _ in found]
    text, labels = pa.array(texts, pa.large_string()), pa.array([label for _, label in found])
    lists = Lexicon()
    embedded = Embedded.load(None, lists)
    rates = {
        "embedded": megabytes / best(lambda: embedded.score(text, labels)),
        "word lists": megabytes / best(lambda: lists.score(text, labels)),
    }
    if importlib.util.find_spec("profanity_check") is not None:
        from profanity_check import predict_prob

        rates["alt-profanity-check"] = megabytes / best(lambda: predict_prob(texts))
    print(f"{len(texts):,} pages, {megabytes:.1f} MB")
    for name, rate in rates.items():
        print(f"{name:22}{rate:8.1f} MB/s of one core")
    if "alt-profanity-check" in rates:
        print(f"embedded is {rates['embedded'] / rates['alt-profanity-check']:.1f} times as fast")


if __name__ == "__main__":
    main()
