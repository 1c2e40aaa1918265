"""Thresholds and stop words from a finished corpus: its scores, and a sample of its documents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lauter.pipeline.storage import Storage
from lauter.stages.language.labels import UNIDENTIFIED
from lauter.stages.quality import Quality
from lauter.stages.thresholds.derived import COLUMNS, LANGUAGE_SCORE
from lauter.stages.thresholds.histograms import Histograms
from lauter.stages.thresholds.limits import language_score
from lauter.stages.thresholds.sample import Sample

_BATCH_ROWS = 8192

_BY_SCORE = "language-score"
"""The reason with which the language stage drops a document below its label's threshold."""


class Corpus:
    """What a corpus says of its languages.

    Documents that the build dropped have no part in it, but for two kinds. What the stage `quality` dropped counts: its
    thresholds are what is made here, and made of their own survivors they would creep up with every turn. And of a
    label that gets a threshold of its score here, that threshold says which documents count, not the build's.
    """

    def __init__(self, storage: Storage, least: int) -> None:
        """Read all scores of a corpus. Memory: `Histograms`.

        Args:
            storage: The run folder.
            least: Documents that a label has at least to get a threshold of its score.

        Raises:
            ValueError: The corpus has no languages or no scores of quality; the message says what is missing.
            StorageError: The folder has no scores that can be read.
        """
        self._storage = storage
        self._parts = sorted(path for path in storage.list("scores") if path.endswith(".parquet"))
        if not self._parts:
            raise ValueError(f"{storage.root}: no scores: is it a finished corpus?")
        scores = Histograms((LANGUAGE_SCORE,))
        wanted = {name.partition("[")[0] for name in COLUMNS}
        for path in self._parts:
            names = self._names(path)
            if missing := sorted({"language", LANGUAGE_SCORE, *wanted} - names):
                raise ValueError(
                    f"{storage.root}/{path}: no column {missing[0]}: thresholds are made of what the stages `language` "
                    "and `quality` score; build the corpus with both"
                )
            for batch in self._batches(path, ["language", LANGUAGE_SCORE]):
                scores.add(_labels(batch), {LANGUAGE_SCORE: batch.column(LANGUAGE_SCORE)})
        self.language_scores: dict[str, float] = {}
        """Threshold of the score of each label with `least` documents."""
        self.documents: dict[str, int] = {}
        """Documents of each label, dropped ones among them: a threshold is made of all scores, as FineWeb-2's is."""
        for label in scores.labels:
            counts = scores.of(label, LANGUAGE_SCORE)
            if counts is not None:
                self.documents[label] = int(counts.sum())
                if self.documents[label] >= least:
                    self.language_scores[label] = language_score(counts)
        self.histograms = Histograms(COLUMNS)
        """Of the documents that count."""
        for path in self._parts:
            ends = self._read(_beside(path, "decisions"), ["stage", "reason"])
            row = 0
            for batch in self._batches(path, ["language", LANGUAGE_SCORE, *sorted(wanted)]):
                labels = self._counted(batch, ends.slice(row, batch.num_rows))
                self.histograms.add(labels, {name: batch.column(name) for name in wanted})
                row += batch.num_rows

    def samples(self) -> Iterator[tuple[str, list[str]]]:
        """Texts of each label, sorted by label. Memory: `Sample` for each label."""
        found: dict[str, Sample] = defaultdict(Sample)
        for path in self._parts:
            scores = self._read(path, ["row", "language", LANGUAGE_SCORE])
            labels = self._counted(scores, self._read(_beside(path, "decisions"), ["stage", "reason"]))
            rows = scores.column("row").to_numpy()
            with self._storage.open(_beside(path, "documents")) as stream:
                for batch in pq.ParquetFile(stream).iter_batches(_BATCH_ROWS, columns=["doc_id", "row", "text"]):
                    places = np.searchsorted(rows, batch.column("row").to_numpy())
                    own = labels.take(pa.array(places)).to_pylist()
                    texts = batch.column("text").fill_null("").cast(pa.large_binary()).to_pylist()
                    for label, doc_id, text in zip(own, batch.column("doc_id").to_pylist(), texts, strict=True):
                        if label is not None:
                            found[label].add(doc_id, text)
        for label in sorted(found):
            yield label, found[label].texts()

    def _names(self, path: str) -> set[str]:
        with self._storage.open(path) as stream:
            return set(pq.ParquetFile(stream).schema_arrow.names)

    def _batches(self, path: str, names: list[str]) -> Iterator[pa.RecordBatch]:
        with self._storage.open(path) as stream:
            yield from pq.ParquetFile(stream).iter_batches(_BATCH_ROWS, columns=names)

    def _read(self, path: str, names: list[str]) -> pa.RecordBatch:
        with self._storage.open(path) as stream:
            table = pq.ParquetFile(stream).read(columns=names).combine_chunks()
        return pa.RecordBatch.from_arrays([column.combine_chunks() for column in table.columns], schema=table.schema)

    def _counted(self, scores: pa.RecordBatch, ends: pa.RecordBatch) -> pa.Array:
        """The label of each row, null where the document does not count; `ends`: `stage` and `reason` of each."""
        labels = _labels(scores)
        names = labels.unique().drop_null().to_pylist()
        least = [round(self.language_scores.get(name, 0.0) * 10_000) for name in names]
        bound = pc.fill_null(pa.array(least, pa.int64()).take(pc.index_in(labels, pa.array(names, pa.string()))), 0)
        score = pc.fill_null(scores.column(LANGUAGE_SCORE).cast(pa.int64()), -1)
        stage, reason = (pc.fill_null(ends.column(name).cast(pa.string()), "") for name in ("stage", "reason"))
        judged_here = pc.and_(
            pc.equal(reason, _BY_SCORE), pc.is_in(labels, pa.array(sorted(self.language_scores), pa.string()))
        )
        stands = pc.or_(pc.is_in(stage, pa.array(["", Quality.name])), judged_here)
        return pc.if_else(pc.and_(stands, pc.greater_equal(score, bound)), labels, pa.scalar(None, pa.string()))


def _beside(path: str, folder: str) -> str:
    """The file of another folder of the same part."""
    return path.replace("scores/", f"{folder}/", 1)


def _labels(batch: pa.RecordBatch) -> pa.Array:
    labels = batch.column("language").cast(pa.string())
    unknown = pc.starts_with(labels, UNIDENTIFIED[0])
    for prefix in UNIDENTIFIED[1:]:
        unknown = pc.or_(unknown, pc.starts_with(labels, prefix))
    return pc.if_else(pc.or_(unknown, pc.is_null(labels)), pa.scalar(None, pa.string()), labels)
