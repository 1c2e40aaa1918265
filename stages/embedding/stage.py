"""The stage `embedding`: one pass of an encoder, the scores of every head, and the decisions from them.

As Apertus did for quality and toxicity (arXiv:2502.10361 for the former): a frozen encoder of the XLM-R class gives one
vector for each chunk of 512 tokens, and small heads by language judge it. The pass is what costs, so all heads share
it; a document whose language no head knows is not embedded at all.

`embedding_scores` holds one score a head, in the order of their names, as log-odds in 1,024ths (`stages.log_odds`):
null where the head has no model for the language. Such a document is not judged, which is not the same as good: the
report lists these languages, and no limit of that head has a say on it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.pipeline import schema
from lauter.pipeline.contract import Placement, Reason, ReportSection, StageConfig, StageContext, Verdict
from lauter.pipeline.histograms import Histogram
from lauter.stages import log_odds
from lauter.stages.embedding.config import EmbeddingConfig
from lauter.stages.embedding.encoder import Model, digest_of, embed, width_of
from lauter.stages.embedding.encoder import load as load_encoder
from lauter.stages.embedding.head import Head
from lauter.stages.embedding.head import load as load_head
from lauter.stages.embedding.limits import Bounds, bounds_of
from lauter.stages.embedding.report import embedding_report
from lauter.stages.encoders.chunks import Chunker
from lauter.stages.quantiles import counted, populations

_TOO_LOW, _TOO_HIGH = 1, 2  # places in `reasons`, from 1

ByLanguage = Mapping[str, Mapping[str, Head]]
"""Name of a head -> language -> head."""


class Embedding:
    """Scores documents with heads on an encoder's vectors, and drops those beyond the limits of a head."""

    name: ClassVar[str] = "embedding"
    version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("tokenizers",)
    Config: ClassVar[type[StageConfig]] = EmbeddingConfig
    reads: ClassVar[tuple[str, ...]] = ("text", "language")
    documents: ClassVar[pa.Schema] = pa.schema([])
    scores: ClassVar[pa.Schema] = schema.fields(schema.SCORE, "embedding_scores")
    reasons: ClassVar[tuple[Reason, ...]] = (Reason("head-score-too-low"), Reason("head-score-too-high"))
    decision_fields: ClassVar[frozenset[str]] = frozenset({"decisions"})

    @classmethod
    def check_config(cls, config: EmbeddingConfig) -> None:
        """Read the heads.

        Raises:
            ValueError: A file is none, two of a head know the same language, or a limit is for a language that no file
                of its head knows.
        """
        heads = _heads(config)
        for name, decision in config.decisions.items():
            unknown = sorted(set(decision.languages) - set(heads[name]))
            if unknown:
                raise ValueError(
                    f"`decisions` has limits of {name!r} for {', '.join(unknown)}, and no file of this head judges it;"
                    f" they judge {', '.join(sorted(heads[name]))}"
                )

    @classmethod
    def placement(cls, config: EmbeddingConfig) -> Placement | None:
        """A step of its own where a GPU or the manifest asks for it (`contract.PlacedStage`)."""
        if config.placement is not None:
            return Placement(config.placement.cpus, config.placement.gpus)
        return Placement(float(config.threads), 1.0) if config.device == "cuda" else None

    def __init__(self, config: EmbeddingConfig, context: StageContext) -> None:
        self._config = config
        self._model: Model | None = None
        self._chunker: Chunker | None = None
        self._heads: ByLanguage = {}
        self._populations: Mapping[int, Histogram] = {}

    def prepare(self, out: str) -> Mapping[str, int]:
        """Check that every head belongs to this encoder, and write down what they are.

        Raises:
            ValueError: A head was trained on another encoder.
            OSError: A file cannot be read.
        """
        config = self._config
        digest = digest_of(config.weights, config.tokenizer)
        heads = _heads(config)
        for name, paths in config.heads.items():
            for path in paths:
                if load_head(path).encoder != digest:
                    raise ValueError(
                        f"the head {path} ({name}) was trained on another encoder than {config.weights} with"
                        f" {config.tokenizer}: train it on this one, or use the encoder that it belongs to"
                    )
        told = {name: {label: heads[name][label].facts() for label in sorted(heads[name])} for name in heads}
        Path(out, "heads.json").write_text(json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
        return {f"{name}: {label}": 1 for name in heads for label in sorted(heads[name])}

    def open(self) -> None:
        """Load the encoder and the heads.

        Raises:
            MissingExtraError: What the encoder runs on is not installed.
            ValueError: A file is not what it should be, or does not fit the others.
        """
        config = self._config
        self._heads = _heads(config)
        self._chunker = Chunker(config.tokenizer, config.chunk_tokens)
        self._model = load_encoder(
            config.weights, config.encoder_config, config.device, config.precision, config.threads
        )
        width = width_of(self._model, config.chunk_tokens, self._chunker.pad)
        for name, heads in self._heads.items():
            for label, head in heads.items():
                if head.width != width:
                    raise ValueError(
                        f"the head {name!r} of {label} takes vectors of width {head.width}, and {config.weights} gives"
                        f" {width}"
                    )

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """Score each text; drops nothing.

        Raises:
            RuntimeError: `open` was not called.
        """
        if self._model is None or self._chunker is None:
            raise RuntimeError("open() comes before apply()")
        languages: list[str] = batch.column("language").cast(pa.string()).fill_null("").to_pylist()
        rows, chunks = [], []
        for row, language in enumerate(languages):
            judges = [heads[language] for heads in self._heads.values() if language in heads]
            if not judges:
                continue
            most = self._config.max_chunks if any(head.chunks == "highest" for head in judges) else 1
            found = self._chunker.chunks(batch.column("text")[row].as_py() or "", most)
            chunks += found
            rows += [row] * len(found)
        logits = np.zeros((len(self._heads), batch.num_rows))
        known = np.zeros(logits.shape, np.bool_)
        if chunks:
            vectors = embed(self._model, chunks, self._config.batch_tokens, self._chunker.pad)
            row_of = np.array(rows, np.int64)
            for place, heads in enumerate(self._heads.values()):
                _judge(heads, languages, row_of, vectors, logits[place], known[place])
        columns = [log_odds.column(logits[place], known[place]) for place in range(len(self._heads))]
        return Verdict(np.zeros(batch.num_rows, np.uint8), {"embedding_scores": _listed(columns, batch.num_rows)})

    @classmethod
    def surveys(cls, config: EmbeddingConfig) -> bool:
        """Whether a share of some head is kept (`surveying.SurveyingStage`)."""
        limits = [each for decision in config.decisions.values() for each in (decision, *decision.languages.values())]
        return any(each.keep_best is not None or each.keep_lowest is not None for each in limits)

    def occurrences(self, scores: pa.RecordBatch) -> NDArray[np.uint64]:
        """Head, language and score of each document that has one."""
        language, column = scores.column("language"), scores.column("embedding_scores")
        found = [counted(language, pc.list_element(column, place), place) for place in range(len(self._config.heads))]
        return np.concatenate(found)

    def surveyed(self, number: NDArray[np.uint64], documents: NDArray[np.uint64]) -> None:
        """Learn how many documents of the run have each score, by head and language."""
        self._populations = populations(number, documents)

    def decide(self, scores: pa.RecordBatch) -> Verdict:
        """Drop what lies beyond a limit of a head; the first head that objects gives the reason."""
        reason = np.zeros(scores.num_rows, np.uint8)
        rules: list[dict[str, str | None] | None] = [None] * scores.num_rows
        labels = scores.column("language").cast(pa.string()).fill_null("").dictionary_encode()
        names: list[str] = labels.dictionary.to_pylist()
        index = labels.indices.to_numpy()
        for place, head in enumerate(self._config.heads):
            decision = self._config.decisions.get(head)
            if decision is None or not scores.num_rows:
                continue
            column = pc.list_element(scores.column("embedding_scores"), place)
            judged = column.is_valid().to_numpy(zero_copy_only=False) & (reason == 0)
            score = column.fill_null(0).to_numpy().astype(np.int64)
            bounds = [bounds_of(decision, name, place, self._populations) for name in names]
            low = np.array([bound.low for bound in bounds], np.int64)[index]
            high = np.array([bound.high for bound in bounds], np.int64)[index]
            for row in np.flatnonzero(judged & ((score < low) | (score > high))).tolist():
                reason[row] = _TOO_LOW if score[row] < low[row] else _TOO_HIGH
                rules[row] = _rule(head, bounds[index[row]], int(score[row]), low=bool(reason[row] == _TOO_LOW))
        return Verdict(reason, rule=cast(pa.StructArray, pa.array(rules, schema.RULE)))

    @classmethod
    def report(cls, summary: Mapping[str, Any], prepared: Mapping[str, int], config: EmbeddingConfig) -> ReportSection:
        """The limits of each head, what was dropped, and the languages that no head judged."""
        return embedding_report(summary, prepared, config)


def _heads(config: EmbeddingConfig) -> ByLanguage:
    """The heads by name and language. Raises ValueError for two of one name that know the same language."""
    found: dict[str, dict[str, Head]] = {}
    for name, paths in config.heads.items():
        known = found.setdefault(name, {})
        for path in paths:
            head = load_head(path)
            twice = sorted(set(head.languages) & set(known))
            if twice:
                raise ValueError(f"two files of the head {name!r} know {', '.join(twice)}; {path} is the second")
            known |= dict.fromkeys(head.languages, head)
    return found


def _judge(
    heads: Mapping[str, Head],
    languages: list[str],
    row_of: NDArray[np.int64],
    vectors: NDArray[np.float32],
    logits: NDArray[np.float64],
    known: NDArray[np.bool_],
) -> None:
    """Write the log-odds of the rows whose language a head knows. `row_of`: the row of each vector, ascending."""
    for language in sorted(set(languages) & set(heads)):
        head = heads[language]
        own = np.flatnonzero(np.array([label == language for label in languages])[row_of])
        rows, first = np.unique(row_of[own], return_index=True)
        if head.chunks == "first":
            logits[rows] = head.log_odds(vectors[own[first]])
        else:
            logits[rows] = np.maximum.reduceat(head.log_odds(vectors[own]), first)
        known[rows] = True


def _listed(columns: list[pa.Array], rows: int) -> pa.Array:
    """One list a row, of the row's value in each column."""
    values = pa.concat_arrays(columns)
    # From column by column to row by row.
    order = np.arange(len(columns) * rows).reshape(len(columns), rows).T.ravel()
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * len(columns))
    kind = schema.SCORE.field("embedding_scores").type
    return pa.ListArray.from_arrays(offsets, values.take(pa.array(order)), type=kind)


def _rule(head: str, bounds: Bounds, score: int, *, low: bool) -> dict[str, str | None]:
    limit, why = (bounds.low, bounds.why_low) if low else (bounds.high, bounds.why_high)
    text = f"{log_odds.words(score)} {'<' if low else '>'} {log_odds.words(limit)}"
    return {"agent": head, "signal": why, "line": None, "text": text}
