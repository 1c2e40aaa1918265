"""The quality classifier beside fastText's supervised models: area under the ROC curve, and documents a second.

Texts are the documents of a finished corpus: good are those to which no soft stage objected, others those that a rule
of `quality` dropped, but for being short. All models see the same beginning of each text, six tenths train, and
three that nobody has seen measure; one thread each, CPU seconds. fastText: as DCLM uses it (arXiv:2406.11794: bigrams
of words, width 100, 5 epochs), and with n-grams of 4 characters as ours has them, width 16, with 25 epochs and a rate
of 0.5, as its tutorial has it for small sets.
Usage: `python benchmarks/classifier.py [CORPUS]`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import fasttext
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lauter.stages.classifier.measures import area, best_f1
from lauter.stages.kernels.words import text_buffers
from lauter.stages.labelled_texts import MEASURED, Labelled, read
from lauter.stages.quality.classifier import log_odds_of
from lauter.stages.quality.training import RECIPE, train_classifier

SHORT = "few-words"
PEERS: dict[str, dict[str, Any]] = {
    "fastText, words 1-2, width 100": {"wordNgrams": 2, "dim": 100, "epoch": 5, "bucket": 1 << 20},
    "fastText, words 1-2, characters 4, width 16": {
        "wordNgrams": 2, "minn": 4, "maxn": 4, "dim": 16, "epoch": 25, "lr": 0.5, "bucket": 1 << 20,
    },
}  # fmt: skip


class Row(NamedTuple):
    """A model: CPU seconds of training and judging, and the scores of the texts that measure it."""

    name: str
    training: float
    judging: float
    scores: NDArray[np.float64]


def texts_of(corpus: Path, most_bytes: int) -> Labelled:
    """The good and the other documents of a corpus; both get one language, so that all are one task."""
    with TemporaryDirectory() as folder:
        files = {}
        found: dict[str, list[str]] = {"good": [], "other": []}
        for path in sorted((corpus / "decisions").rglob("*.parquet")):
            decided = pq.read_table(path, columns=["doc_id", "stage", "reason"]).to_pylist()
            why = {row["doc_id"]: (row["stage"], row["reason"]) for row in decided}
            part = corpus / "documents" / path.relative_to(corpus / "decisions")
            for row in pq.read_table(part, columns=["doc_id", "text"]).to_pylist():
                stage, reason = why[row["doc_id"]]
                side = "good" if stage is None else "other" if stage == "quality" and reason != SHORT else None
                if side:
                    found[side].append(row["text"])
        for name, texts in found.items():
            files[name] = str(Path(folder, f"{name}.parquet"))
            pq.write_table(pa.table({"text": pa.array(texts, pa.large_string())}), files[name])
        labelled = read([files["good"]], [files["other"]], None, 1_000_000, most_bytes)
    # Of one tenth the AUC has a standard error of two points.
    fold = np.where(np.isin(labelled.fold, (2, 3)), MEASURED, labelled.fold).astype(np.uint8)
    return replace(labelled, fold=fold)


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds, and what `run` returned."""
    start = time.process_time()
    found = run()
    return time.process_time() - start, found


def ours(texts: Labelled, measured: NDArray[np.bool_]) -> Row:
    train_classifier(texts.rows(np.arange(len(texts.positive)) % 4 == 0), RECIPE, "")  # kernels are compiled
    training, model = timed(lambda: train_classifier(texts, RECIPE, ""))
    own = texts.texts.filter(pa.array(measured))

    def judge() -> NDArray[np.float64]:
        offsets, data = text_buffers(own)
        return log_odds_of(model, data, offsets)

    judging, scores = timed(judge)
    return Row("ours", training, judging, scores)


def peer(name: str, texts: Labelled, measured: NDArray[np.bool_]) -> Row:
    lines = [" ".join(text.split()) for text in texts.texts.to_pylist()]
    with TemporaryDirectory() as folder:
        path = Path(folder, "train.txt")
        rows = np.flatnonzero(texts.training).tolist()
        path.write_text("".join(f"__label__{int(texts.positive[row])} {lines[row]}\n" for row in rows), "utf-8")
        options = {"thread": 1, "verbose": 0, "seed": 1, **PEERS[name]}
        training, model = timed(lambda: fasttext.train_supervised(str(path), **options))
    own = [lines[row] for row in np.flatnonzero(measured).tolist()]
    judging, found = timed(lambda: model.predict(own, k=2))
    scores = [dict(zip(labels, values, strict=True))["__label__1"] for labels, values in zip(*found, strict=True)]
    return Row(name, training, judging, np.array(scores, np.float64))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", nargs="?", default="out/all-pages", type=Path)
    texts = texts_of(parser.parse_args().corpus, RECIPE.text_bytes)
    measured = texts.fold == MEASURED
    positive = texts.positive[measured]
    size = sum(len(text.encode()) for text in texts.texts.filter(pa.array(measured)).to_pylist())
    print(
        f"{len(texts.positive):,} texts, {int(texts.positive.sum()):,} good;"
        f" measured on {len(positive):,}, {size:,} bytes"
    )
    first: Row | None = None
    for row in (ours(texts, measured), *(peer(name, texts, measured) for name in PEERS)):
        first = first or row
        print(
            f"{row.name:46}  AUC {area(row.scores, positive):.4f}  F1 {best_f1(row.scores, positive)[0]:.4f}"
            f"  training {row.training:6.1f} s  {len(positive) / row.judging:8,.0f} documents/s"
            f"  {size / row.judging / 1e6:6.1f} MB/s  ours {row.judging / first.judging:.1f}x"
        )


if __name__ == "__main__":
    main()
