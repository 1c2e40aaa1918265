"""The map stage `decontaminate`: no benchmark item may stand in a training corpus.

Three published rules. `tulu`, the default (Lambert et al. 2024, arXiv 2411.15124, section 3.2): a word of an item is
matched if it is part of a run of 8 words that stands in the document too, and a document is contaminated where half of
the words of an item are. `gpt3` (Brown et al. 2020, appendix C): one run of 13 words is enough, but a run that stands
in more than 10 documents counts for nothing, as most of those are legal boilerplate and common quotations. `blocks`,
for instruction data (Apertus, arXiv 2509.14233, section 4.1, source in `blocks`): an item that shares a run of 8 words
is aligned with the document, and half of its words must lie in matching blocks of 5 and more, in the item's order;
Apertus compares token ids of the first prompt, and here it is the words of all turns. All read words in lower case
without punctuation, so that neither case nor spacing nor line ends hide a copy.

What differs from the papers: the whole document is dropped, where GPT-3 cut 200 characters around a hit; the half is
reached at 0.5 and not above it; and in scripts without spaces, where a word is cut into its letters, a run is two or
three times as long (`match`). Copies are counted as documents: a leak that has been copied to more than 10 pages is
frequent under `gpt3`, and `max_documents: null` counts it all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from lauter.pipeline import schema
from lauter.pipeline.contract import FilePath, Reason, ReportSection, StageConfig, StageContext, Verdict
from lauter.stages.decontaminate import benchmarks
from lauter.stages.decontaminate.index import Index, Source, build
from lauter.stages.decontaminate.report import decontamination_report
from lauter.stages.kernels.words import text_buffers

NGRAM_WORDS = {"tulu": 8, "gpt3": 13, "blocks": 8}
"""The length of a run under each rule."""

_CONTAMINATED = 1  # place in `reasons`, from 1


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _all_listed(value: object) -> object:
    return {name: _listed(item) for name, item in value.items()} if isinstance(value, dict) else value


class DecontaminateConfig(StageConfig):
    """Which benchmarks, and how much of an item a document may hold."""

    benchmarks: Annotated[
        Mapping[str, Annotated[tuple[FilePath, ...], Field(strict=False, min_length=1)]],
        BeforeValidator(_all_listed),
        Field(min_length=1),
    ]
    """Name of a benchmark -> its files: `.jsonl`, `.tsv`, `.csv`, `.parquet` or `.txt` (a line an item), perhaps
    compressed."""

    fields: Annotated[
        Mapping[str, Annotated[tuple[str, ...], Field(strict=False, min_length=1)]], BeforeValidator(_all_listed)
    ] = Field(default_factory=dict)
    """Name of a benchmark -> the columns whose texts are looked for, each by itself; `a.b` for what lies deeper, and
    in `.tsv` and `.csv` without a heading line the column's number."""

    rule: Literal["tulu", "gpt3", "blocks"] = "tulu"
    """`tulu`: a share of an item's words in runs of 8. `gpt3`: one run of 13 words. `blocks`: the share of its words in
    matching blocks."""

    ngram_words: int | None = Field(default=None, ge=2, le=64)
    """Words of a run; none: 8 or 13, as the rule has it."""

    min_words: int = Field(default=8, ge=2, le=64)
    """An item with fewer words than a run is looked for as a whole if it has this many, and otherwise only counted. 8
    is the least that Brown et al. compare."""

    min_ratio: float = Field(default=0.5, ge=1 / schema.RATIO_SCALE, le=1)
    """`tulu`, `blocks`: the share of an item's words from which a document is contaminated; four decimals."""

    max_documents: int | None = Field(default=10, ge=1)
    """`gpt3`: a run in more documents than this counts for nothing; none: every run counts."""

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        unknown = sorted(set(self.fields) - set(self.benchmarks))
        if unknown:
            raise ValueError(f"`fields` names {', '.join(unknown)}, and no benchmark is called so")
        return self

    @property
    def ngram(self) -> int:
        """The words of a run."""
        return self.ngram_words or NGRAM_WORDS[self.rule]


class Decontaminate:
    """Scores how much of a benchmark's items a document holds, and drops those that hold too much of one.

    The benchmarks are compiled once to an index of their n-grams. Evidence names the benchmark, the item (the line of
    its file) and the first of its n-grams that was found, in the benchmark's own words.
    """

    name: ClassVar[str] = "decontaminate"
    version: ClassVar[int] = 2
    Config: ClassVar[type[StageConfig]] = DecontaminateConfig
    reads: ClassVar[tuple[str, ...]] = ("text",)
    documents: ClassVar[pa.Schema] = pa.schema([])
    scores: ClassVar[pa.Schema] = schema.fields(
        schema.SCORE, "contamination", "contamination_item", "contamination_place", "contamination_ngrams"
    )
    reasons: ClassVar[tuple[Reason, ...]] = (Reason("contaminated"),)
    decision_fields: ClassVar[frozenset[str]] = frozenset({"min_ratio", "max_documents"})

    def __init__(self, config: DecontaminateConfig, context: StageContext) -> None:
        self._config, self._artefacts = config, context.artefacts
        self._index: Index | None = None
        self._frequent: NDArray[np.uint64] = np.empty(0, np.uint64)

    @classmethod
    def check_config(cls, config: DecontaminateConfig) -> None:
        """Raise ValueError for a file that cannot be read, or that lacks a field in its first rows."""
        for name, paths in config.benchmarks.items():
            for path in paths:
                benchmarks.check(path, config.fields.get(name, ()))

    def prepare(self, out: str) -> Mapping[str, int]:
        """Compile the index. Raises ValueError with file and line for a row of a benchmark that cannot be read."""
        config = self._config
        names = sorted(config.benchmarks)
        items = (benchmarks.read(name, config.benchmarks[name], config.fields.get(name, ())) for name in names)
        return build(chain.from_iterable(items), config.ngram, config.min_words, Path(out))

    def open(self) -> None:
        """Map the index."""
        self._opened()

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """Score a batch; drops nothing.

        `contamination` is the share of its words that the best matched item has in common with the document, null
        where no gram of any item stands in it; `contamination_ngrams` are all grams, under `gpt3`.
        """
        index = self._opened()
        found = index.find(text_buffers(batch.column("text")), blocks=self._config.rule == "blocks")
        ratio, item, place = (found.best[:, column] for column in range(3))
        none = ratio < 0
        grams = pa.nulls(batch.num_rows, schema.SCORE.field("contamination_ngrams").type)
        if self._config.rule == "gpt3":
            offsets = pa.array(found.bounds.astype(np.int32), mask=np.append(none, np.bool_(0)))
            grams = pa.ListArray.from_arrays(offsets, pa.array(found.ranks), type=grams.type)
        columns = {
            "contamination": pa.array(np.where(none, 0, ratio).astype(np.uint16), mask=none),
            "contamination_item": pa.array(np.where(none, 0, item).astype(np.uint32), mask=none),
            "contamination_place": pa.array(np.where(none, 0, place).astype(np.uint32), mask=none),
            "contamination_ngrams": grams,
        }
        return Verdict(np.zeros(batch.num_rows, np.uint8), columns)

    @classmethod
    def surveys(cls, config: DecontaminateConfig) -> bool:
        """Whether a decision depends on how many documents hold an n-gram (`surveying.SurveyingStage`)."""
        return config.rule == "gpt3" and config.max_documents is not None

    def occurrences(self, scores: pa.RecordBatch) -> NDArray[np.uint64]:
        """The n-grams of each document, one after another."""
        grams: NDArray[np.uint32] = scores.column("contamination_ngrams").flatten().to_numpy()
        return grams.astype(np.uint64)

    def surveyed(self, number: NDArray[np.uint64], documents: NDArray[np.uint64]) -> None:
        """Learn in how many documents of the corpus each n-gram stands."""
        self._frequent = number[documents > (self._config.max_documents or 0)]

    def decide(self, scores: pa.RecordBatch) -> Verdict:
        """Drop what holds too much of an item; reads the scores, and the index for the evidence."""
        sources = self._by_ngram(scores) if self._config.rule == "gpt3" else self._by_ratio(scores)
        reason = np.array([_CONTAMINATED if source else 0 for source in sources], np.uint8)
        rules = [
            {"agent": source.benchmark, "signal": self._config.rule, "line": source.number, "text": source.text}
            if source
            else None
            for source in sources
        ]
        return Verdict(reason, rule=pa.array(rules, schema.RULE))

    def _by_ratio(self, scores: pa.RecordBatch) -> list[Source | None]:
        least = round(self._config.min_ratio * schema.RATIO_SCALE)
        ratio = np.asarray(scores.column("contamination").fill_null(0))
        found: list[Source | None] = [None] * scores.num_rows
        for row in np.flatnonzero(ratio >= least).tolist():
            item, place = (scores.column(f"contamination_{name}")[row].as_py() for name in ("item", "place"))
            found[row] = self._opened().source(item, place)
        return found

    def _by_ngram(self, scores: pa.RecordBatch) -> list[Source | None]:
        column = scores.column("contamination_ngrams")
        grams = column.flatten().to_numpy()
        rows = np.repeat(np.arange(scores.num_rows), column.value_lengths().fill_null(0).to_numpy())
        # For the whole batch at once: there may be a million frequent ones.
        rare = np.flatnonzero(~np.isin(grams, self._frequent))
        rows, first = np.unique(rows[rare], return_index=True)
        found: list[Source | None] = [None] * scores.num_rows
        for row, gram in zip(rows.tolist(), grams[rare[first]].tolist(), strict=True):
            found[row] = self._opened().source_of_key(gram)
        return found

    @classmethod
    def report(
        cls, summary: Mapping[str, Any], prepared: Mapping[str, int], config: DecontaminateConfig
    ) -> ReportSection:
        """The rule, and of each benchmark its items and the documents that were dropped for it."""
        limit = config.max_documents if config.rule == "gpt3" else config.min_ratio
        return decontamination_report(summary, prepared, sorted(config.benchmarks), config.rule, config.ngram, limit)

    def _opened(self) -> Index:
        if self._index is None:
            if self._artefacts is None:
                raise RuntimeError("prepare() comes before apply() and decide(): there is no index")
            self._index = Index.open(Path(self._artefacts), self._config.ngram, self._config.min_words)
        return self._index
