"""Language identification with fastText models: our kernels against the fastText library.

    python benchmarks/language_speed.py [RUN] [--glotlid MODEL.bin] [--documents N]

Both judge the same unique documents of 2 KB on one core, in one run and in turn, and must name the same five labels.
The documents are those of a finished run, by default out/all-pages, cut at 2,048 bytes. Models:

* one of GlotLID's shape (2,102 labels, 256 numbers a row, n-grams of 2 to 5 characters in 1,000,000 buckets, 400,000
  words: 1.4 GB), made at random for this benchmark, with the words of the documents in its dictionary; or the real one,
  with `--glotlid`;
* the embedded model, whose texts are normalised first, and whose answers their words are asked about: once more with
  both counted, and as the stage judges a document: scripts counted, cut in pieces, normalised, predicted, weighed;
* lid.176.

CPU seconds, best of three. Ours remembers sums of words: before each measurement a new predictor has seen as many
other documents as are measured, which is little for a worker.
"""

from __future__ import annotations

import argparse
import os
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import fasttext
import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
from numpy.typing import NDArray

from lauter.pipeline.contract import StageContext
from lauter.stages.language import Language, LanguageConfig
from lauter.stages.language.evidence.lists import SUFFIX, WordLists
from lauter.stages.language.evidence.lists import read as read_lists
from lauter.stages.language.evidence.weigh import weigh
from lauter.stages.language.fasttext.output import OFFSET
from lauter.stages.language.fasttext.predict import Answers, Predictor
from lauter.stages.language.fasttext.read import load
from lauter.stages.language.normaliser import normalise

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "stages" / "language" / "models"
BYTES = 2048
ROUNDS = 3
LABELS, DIM, BUCKETS, WORDS = 2102, 256, 1_000_000, 400_000
# Two labels whose probabilities are this close may change places: sums in single precision have no more digits.
NEAR = 2e-6


def documents(run: Path, count: int) -> list[str]:
    """Unique texts of 2 KB."""
    found: dict[str, None] = {}
    for batch in ds.dataset(run / "documents", format="parquet").to_batches(columns=["text"]):
        for text in batch.column("text").to_pylist():
            content = text.replace("\n", " ").encode()
            if len(content) >= BYTES:
                found[content[:BYTES].decode(errors="ignore")] = None
            if len(found) == count:
                return list(found)
    return list(found)


def write_model(path: Path, words: list[bytes]) -> None:
    """A model of GlotLID's shape, of random numbers, in fastText's format (`read`)."""
    draw = np.random.default_rng(1)
    filled = dict.fromkeys(words)
    while len(filled) < WORDS:
        filled[f"w{len(filled)}".encode()] = None
    entries = [(word, 0) for word in list(filled)[:WORDS]]
    entries += [(f"__label__x{number:04}_Latn".encode(), 1) for number in range(LABELS)]
    # A mean of some thousand rows is small: labels must differ by more than rounding.
    block = draw.standard_normal((1 << 16, DIM), np.float32)
    with path.open("wb") as file:
        file.write(struct.pack("<2i", 793712314, 12))
        file.write(struct.pack("<12id", DIM, 5, 1, 1000, 5, 1, 3, 3, BUCKETS, 2, 5, 100, 1e-4))
        file.write(struct.pack("<3i2q", len(entries), WORDS, LABELS, 1_000_000, -1))
        for word, kind in entries:
            file.write(word + b"\0" + struct.pack("<qb", 1000, kind))
        rows = WORDS + BUCKETS
        file.write(struct.pack("<b2q", 0, rows, DIM))
        for first in range(0, rows, len(block)):
            np.roll(block, first // len(block), axis=1)[: rows - first].tofile(file)
        file.write(struct.pack("<b2q", 0, LABELS, DIM))
        (10 * draw.standard_normal((LABELS, DIM), np.float32)).tofile(file)


def buffers(texts: list[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)]).astype(np.int64)
    offsets.setflags(write=False)
    return np.frombuffer(b"".join(encoded), np.uint8), offsets


def timed(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def all_of_it(predictor: Predictor, lists: WordLists, data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
    """Normalisation, prediction and word evidence."""
    data, offsets = normalise(data, offsets)
    everywhere = np.ones((len(offsets) - 1, len(predictor.model.labels)), np.bool_)
    weigh(data, offsets, lists, predictor.probabilities(data, offsets, everywhere))


def stage_speed(texts: list[str]) -> float:
    """Documents that the stage judges with the embedded model in a second; it has seen as many others before."""
    before, after = (pa.record_batch({"text": pa.array(part, pa.large_string())}) for part in (texts[::2], texts[1::2]))
    seconds = []
    for _ in range(ROUNDS):
        stage = Language(LanguageConfig(), StageContext())
        stage.open()
        stage.apply(before)
        seconds.append(timed(lambda stage=stage: stage.apply(after)))  # type: ignore[misc]
    return float(after.num_rows) / min(seconds)


def same(ours: Answers, labels: tuple[str, ...], theirs: tuple[list[list[str]], list[NDArray[np.float32]]]) -> str:
    """How many documents have the same five labels, and the largest difference of a probability."""
    equal, near, worst = 0, 0, 0.0
    for row, (names, probabilities) in enumerate(zip(*theirs, strict=True)):
        found = [labels[place] for place in ours.labels[row] if place >= 0]
        size = min(len(found), len(names))
        worst = max(worst, float(np.abs(ours.probabilities[row, :size] - probabilities[:size]).max(initial=0)))
        away = np.abs(ours.probabilities[row, :size] + OFFSET - probabilities[:size])
        if found == list(names):
            equal += 1
        elif len(found) == len(names):
            near += all(away[at] < NEAR for at in range(size) if found[at] != names[at])
    return (
        f"{equal} of {len(ours.labels)} with the same five labels, {near} but for labels within {NEAR:.0e},"
        f" probabilities within {worst:.0e}, of which fasttext adds 1e-5"
    )


def compare(name: str, path: Path, texts: list[str], *, normalised: bool) -> None:
    model, library = load(str(path)), fasttext.load_model(str(path))
    labels = [label.removeprefix("__label__") for label in model.labels]
    lists = read_lists(path.with_suffix(SUFFIX), labels) if normalised else None
    every, texts = texts, texts[1::2]
    raw_before = buffers(every[::2])
    raw, before = buffers(texts), normalise(*raw_before) if normalised else raw_before
    seen = normalise(*raw) if normalised else raw
    lines = [seen[0][seen[1][at] : seen[1][at + 1]].tobytes().decode() for at in range(len(texts))]
    answers = Predictor(model).top(*seen, 5)  # compiles the kernels
    ours, theirs, whole = [], [], []
    for _ in range(ROUNDS):
        predictor = Predictor(model)
        predictor.top(*before, 5)
        ours.append(timed(lambda predictor=predictor: predictor.top(*seen, 5)))  # type: ignore[misc]
        if lists is not None:
            predictor = Predictor(model)
            all_of_it(predictor, lists, *raw_before)
            whole.append(timed(lambda predictor=predictor: all_of_it(predictor, lists, *raw)))  # type: ignore[misc]
        theirs.append(timed(lambda: library.predict(lines, 5)))
    mine, other = len(texts) / min(ours), len(texts) / min(theirs)
    print(f"{name}: {len(model.labels):,} labels x {model.dim}, {path.stat().st_size / 1e6:,.0f} MB")
    print(f"  lauter {mine:>8,.0f} docs/s   fasttext {other:>7,.0f} docs/s   ratio {mine / other:.1f}")
    if lists is not None:
        print(f"  lauter with normalisation and word evidence {len(texts) / min(whole):,.0f} docs/s")
        print(f"  lauter, the whole stage {stage_speed(every):,.0f} docs/s")
    print(f"  {same(answers, model.labels, library.predict(lines, 5))}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run", nargs="?", type=Path, default=ROOT / "out" / "all-pages")
    parser.add_argument("--glotlid", type=Path, help="the real model, instead of one of its shape")
    parser.add_argument("--documents", type=int, default=2000)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    texts = documents(arguments.run, arguments.documents)
    print(f"{len(texts) // 2:,} documents of {BYTES:,} bytes, one core, CPU time, best of {ROUNDS}")
    for name, path, normalised in (
        ("embedded", MODELS / "embedded" / "model.ftz", True),
        ("lid.176", MODELS / "lid.176.ftz", False),
    ):
        if path.exists():
            compare(name, path, texts, normalised=normalised)
    if arguments.glotlid is not None:
        compare("GlotLID", arguments.glotlid, texts, normalised=False)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.bin"
        write_model(path, sorted({word for text in texts for word in text.encode().split()}))
        compare("GlotLID's shape", path, texts, normalised=False)


if __name__ == "__main__":
    main()
