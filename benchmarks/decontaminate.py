"""Looking for n-grams of benchmarks in texts, beside datatrove's filter, on the same texts in one run and on one core.

Both look for runs of 12 words of GSM8K (questions and answers), MGSM and HumanEval (prompts) in real pages; into some
an item was planted. datatrove's filter has its own normalisation, and stops at the first hit of a page, where ours
finds all and scores every page. It is given a split at white space in place of its default tokeniser, spaCy, which is
many times slower: that one is measured on a part of the pages. The last rows are the two published rules, which
datatrove has not. Seconds are CPU seconds of the process, the best of `PASSES`.

    python benchmarks/decontaminate.py      needs the extra `bench`; data are found through LAUTER_TEST_DATA
"""

from __future__ import annotations

import gzip
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from datatrove.data import Document
from datatrove.pipeline.decont import NGramsDecontConfig, NGramsDecontFilter
from datatrove.utils.text import simplify_text

from lauter.pipeline.contract import StageContext
from lauter.stages.decontaminate import Decontaminate, DecontaminateConfig, benchmarks

PASSES = 3
NGRAM = 12
PLANTED = 200
SOME = 150
"""Pages for datatrove's default tokeniser."""
DATA = Path(os.environ.get("LAUTER_TEST_DATA") or Path(__file__).parents[1] / ".." / "shared" / "data")
FILES = {"gsm8k": "gsm8k_test.jsonl", "humaneval": "HumanEval.jsonl.gz", "mgsm": "mgsm.tsv.jsonl"}
FIELDS = {"gsm8k": ["question", "answer"], "humaneval": ["prompt"], "mgsm": ["question"]}


class WhiteSpaceWords:
    """The word splitter that datatrove's filter is given."""

    def word_tokenize(self, text: str) -> list[str]:
        """White space words of a text."""
        return text.split()


def items() -> list[str]:
    paths = {name: [str(DATA / "decontam" / file)] for name, file in FILES.items()}
    return [item.text for name in FILES for item in benchmarks.read(name, paths[name], FIELDS[name])]


def pages(planted: list[str]) -> list[str]:
    """Real pages; into every tenth an item is put, in other case and on other lines."""
    with gzip.open(DATA / "ground_truth.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [text for line in lines if (text := json.loads(line)["gt"].get("text"))]
    draw = random.Random(7)
    for place in draw.sample(range(len(texts)), PLANTED):
        item = draw.choice(planted)
        texts[place] += "\n\n" + "\n".join(item.upper().split("  "))
    return texts


def lauter(texts: list[str], folder: str, rule: str, ngram: int | None) -> tuple[float, int]:
    paths = {name: str(DATA / "decontam" / file) for name, file in FILES.items()}
    values = {"benchmarks": paths, "fields": FIELDS, "rule": rule, "ngram_words": ngram, "max_documents": None}
    config = DecontaminateConfig.model_validate(values)
    Decontaminate(config, StageContext()).prepare(folder)
    stage = Decontaminate(config, StageContext(artefacts=folder))
    stage.open()
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})

    def run() -> int:
        verdict = stage.apply(batch)
        scores = pa.RecordBatch.from_pydict(dict(verdict.columns), schema=stage.scores)
        return int(np.count_nonzero(stage.decide(scores).reason))

    return best(run)


def datatrove(texts: list[str], folder: str, *, default_words: bool) -> tuple[float, int]:
    step = NGramsDecontFilter(folder, config=NGramsDecontConfig(n_grams=NGRAM))
    if not default_words:
        step.tokenizer = WhiteSpaceWords()
    # What its indexer would write; that one asks for tasks of lighteval besides, which is another package.
    step._index_hashes = {key: "items" for text in items() for key in ngram_keys(step, text)}
    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]
    return best(lambda: sum(step.filter(document) is not True for document in documents))


def ngram_keys(step: NGramsDecontFilter, text: str) -> list[int]:
    words = step.tokenizer.word_tokenize(simplify_text(text, step.config.norm_config))
    return [step.hash_func(" ".join(words[at : at + NGRAM])) for at in range(len(words) - NGRAM + 1)]


def best(run: Callable[[], int]) -> tuple[float, int]:
    times, found = [], run()
    for _ in range(PASSES):
        start = time.process_time()
        found = run()
        times.append(time.process_time() - start)
    return min(times), found


def main() -> None:
    texts = pages(items())
    measured: list[tuple[str, list[str], Callable[[str], tuple[float, int]]]] = [
        ("lauter", texts, lambda folder: lauter(texts, folder, "gpt3", NGRAM)),
        ("datatrove, white space", texts, lambda folder: datatrove(texts, folder, default_words=False)),
        ("datatrove, spaCy", texts[:SOME], lambda folder: datatrove(texts[:SOME], folder, default_words=True)),
        ("lauter, gpt3 (13 words)", texts, lambda folder: lauter(texts, folder, "gpt3", None)),
        ("lauter, tulu (8 words)", texts, lambda folder: lauter(texts, folder, "tulu", None)),
    ]
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    sys.stdout.write(f"{len(texts):,} pages, {megabytes:.1f} MB, {PLANTED} with an item; runs of {NGRAM} words\n")
    ours = 0.0
    with tempfile.TemporaryDirectory() as root:
        for number, (name, some, measure) in enumerate(measured):
            folder = Path(root) / str(number)
            folder.mkdir()
            seconds, found = measure(str(folder))
            rate = sum(len(text.encode()) for text in some) / 1e6 / seconds
            ours = ours or rate
            dropped = f"{found:5d} of {len(some):,} pages dropped"
            sys.stdout.write(f"{name:<26}{rate:8.2f} MB/s  {dropped:<28} {rate / ours:6.3f} of the rate\n")


if __name__ == "__main__":
    main()
