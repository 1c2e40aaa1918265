"""The contract between the engine and a stage: five kinds of part, and what a stage may do besides.

* A **reader** turns one file into records.
* A **map stage** is row-local: it annotates a batch and says which rows to drop and why; the engine drops them.
* A **barrier stage** compares all documents (`comparing`), a **cutting stage** cuts what comes again (`cutting`).
* An **encoder** turns the text of a kept document into token ids.

Hard decisions (`apply`) drop at once; soft decisions (`decide`) are made later, from score columns alone, so that a
changed threshold re-reads a few bytes a document and never text.

What a stage may do besides is a protocol of its own, and the engine asks for it by its methods: decide from scores
(alone, or with what was counted of the whole corpus: `surveying`), run in a step of its own, prepare files (in one go
or by ranges of keys), want to know of copies of what it drops, have its keeps derived again by the audit (`verifying`),
and speak in the report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, BinaryIO, ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict


class InputFile(NamedTuple):
    """Marks a config field that names a file the stage reads; the engine resolves it, checks it and digests it."""

    kind: Literal["model", "snapshot", "file", "corpus"] = "file"


ModelPath = Annotated[str, InputFile("model")]
SnapshotPath = Annotated[str, InputFile("snapshot")]
FilePath = Annotated[str, InputFile("file")]
CorpusPath = Annotated[str, InputFile("corpus")]
"""An older run folder, local or on S3, that a barrier stage's documents are compared with. The stage never reads it."""


class StageConfig(BaseModel):
    """Base of every stage's parameters: frozen; an unknown key is an error, and so is a number that is not finite."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Reason(NamedTuple):
    """Why a stage drops a row, and how the ledger counts it."""

    name: str
    verdict: Literal["dropped", "error"] = "dropped"
    mirrored: bool = False
    """Whether copies of such a record elsewhere matter (`MirroringStage`)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a stage says of a batch of n rows.

    `reason` has shape (n,), dtype uint8: 0 keeps the row, i drops it for `stage.reasons[i - 1]`.
    `columns` are new or rewritten columns of n rows each (rows that are dropped may hold nulls).
    `rule` is the evidence, an array of `schema.RULE` with n rows, null where there is none.
    `signals` are what the records themselves say (`schema.SIGNAL` without `doc_id`, `row` counting in the batch), of
    rows that are dropped too; only a stage with `signals = True` has them.
    """

    reason: NDArray[np.uint8]
    columns: Mapping[str, pa.Array] = field(default_factory=dict)
    rule: pa.StructArray | None = None
    signals: pa.RecordBatch | None = None

    @property
    def keep(self) -> NDArray[np.bool_]:
        """The keep mask, shape (n,)."""
        keep: NDArray[np.bool_] = self.reason == 0
        return keep


@dataclass(frozen=True, slots=True)
class StageContext:
    """What the engine gives a stage besides its parameters."""

    seed: int = 0
    artefacts: str | None = None
    """Local folder with what `prepare` made, for a stage that has it: `apply` and `decide` see it."""
    quarantine: str | None = None
    """Local folder where a row that tripped a wall-clock guard is remembered by doc_id: a rerun decides the same."""


class MapStage(Protocol):
    """A row-local stage. Constructed in every worker as `Stage(config, context)`."""

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised whenever the output for some input may change: it is part of every key downstream.

    A class may also have `libraries: tuple[str, ...]`, the distributions that decide its output: their installed
    versions are part of the key and of the lineage; a classmethod `check_config(config)` that raises `ValueError` for
    parameters that can't work; a classmethod `reads_for(config)` where `reads` depends on the parameters;
    a classmethod `tell(row) -> str | None` that says of a row of `explain` what the stage found, in plain words;
    `ledger: pa.Schema`, columns (of `layouts.CARRIED`) that it writes into the ledger row of every record it sees,
    dropped ones too; and `signals: bool`, whether its verdicts have `signals`, which go to `signals/`."""
    Config: ClassVar[type[StageConfig]]
    reads: ClassVar[tuple[str, ...]]
    documents: ClassVar[pa.Schema]
    """Columns it writes into documents/ (new, or `text` if it is a declared rewriter)."""
    scores: ClassVar[pa.Schema]
    """Columns it writes into scores/; `decide` sees these only."""
    reasons: ClassVar[tuple[Reason, ...]]

    def open(self) -> None:
        """Load models; called once per worker process before the first batch."""

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """Annotate a batch: exactly as many rows out as in. Raises nothing for bad rows."""
        ...


@runtime_checkable
class SoftStage(Protocol):
    """A map stage that also decides from its scores. `decision_fields` are the config fields `apply` never reads."""

    reasons: ClassVar[tuple[Reason, ...]]
    decision_fields: ClassVar[frozenset[str]]

    def decide(self, scores: pa.RecordBatch) -> Verdict:
        """Reasons (and rules) from score columns alone; `columns` stays empty."""
        ...


class Placement(NamedTuple):
    """What one task of a placed stage takes of a machine."""

    cpus: float = 1.0
    gpus: float = 0.0


@runtime_checkable
class PlacedStage(Protocol):
    """A soft stage that may ask for a step of its own, because it wants a GPU or holds a large model.

    It runs over the documents that all other map stages have let pass, with their final text, in processes that keep
    it open between tasks. It reads columns of documents/ and scores/, writes scores alone, and `apply` drops
    nothing. A row on which it raises has null scores and is counted as failed.
    """

    @classmethod
    def placement(cls, config: Any) -> Placement | None:  # noqa: ANN401 - the stage's own Config
        """What its tasks take; None: it runs in the same pass as the stages around it."""
        ...


@runtime_checkable
class PreparedStage(Protocol):
    """A map stage that needs something built once from its input files before any worker starts."""

    def prepare(self, out: str) -> Mapping[str, int]:
        """Build into the local folder `out` (deterministic bytes); return counts for the report.

        Raises ValueError or OSError for files that can't be used: its message, which names the file, is shown alone.
        """
        ...


@runtime_checkable
class PartitionedStage(Protocol):
    """A prepared stage whose build is split where its input files are many: by file, then by range of 64-bit keys.

    What it leaves must not depend on the split: `prepare` makes the same bytes in one go. `counts` is added to; the
    counts of all map and range calls are summed and handed to `prepare_finish`.
    """

    prepare_from: ClassVar[str]
    """The field of its parameters that names the files. Only for `prepare` is the stage made with it: what it was
    prepared from is in what it left."""
    prepare_rows: ClassVar[pa.Schema]
    prepare_questions: ClassVar[pa.Schema]
    prepare_settled: ClassVar[pa.Schema]

    def prepare_map(self, paths: Sequence[str], counts: Counter[str]) -> Iterator[tuple[pa.Table, NDArray[np.uint64]]]:
        """Tables of `prepare_rows` from some of the files, with the key of each row. Memory: one table."""
        ...

    def prepare_ask(self, rows: pa.Table) -> pa.Table:
        """What some rows must know of rows with other keys: a table of `prepare_questions`."""
        ...

    def prepare_answer(self, rows: pa.Table, asked: Iterable[pa.Table]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """(row, key of who asks) of the rows of one range that the questions of all ranges may mean."""
        ...

    def prepare_range(self, rows: pa.Table, answers: pa.Table, counts: Counter[str]) -> pa.Table:
        """A table of `prepare_settled` from all rows of a range, in any order, and the answers to its questions."""
        ...

    def prepare_finish(self, ranges: Sequence[pa.Table], out: str, counts: Counter[str]) -> Mapping[str, int]:
        """Build into the local folder `out` from all ranges, in order of key, memory-mapped; return counts."""
        ...


@runtime_checkable
class MirroringStage(Protocol):
    """A hard stage to which copies of what it drops matter: a page that its owner reserved may stand elsewhere too."""

    @classmethod
    def mirrors(cls, config: Any) -> Literal["keep", "drop"]:  # noqa: ANN401 - the stage's own Config
        """Whether a document in one cluster with a record of a `mirrored` reason is only counted, or dropped.

        A class may name what only this method reads in `decision_fields`: then another answer extracts nothing again.
        """
        ...


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table of a report: every row as long as the header, longest lists cut by the stage; numbers are counts."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str | int, ...], ...]


class ReportPart(NamedTuple):
    """A part of a whole: how much it is, the group that it lies in, and its kind, one of the whole's."""

    name: str
    group: str
    kind: str
    value: int


@dataclass(frozen=True, slots=True)
class ReportWhole:
    """A whole and its parts. The page draws it three ways: a strip by kind, areas by group, a row of bars by size."""

    title: str
    unit: str
    """What values count, in the plural: `tokens`."""
    kinds: tuple[tuple[str, str], ...]
    """Kinds and what they mean in words, five at most; each has a colour by its place."""
    parts: tuple[ReportPart, ...]


@dataclass(frozen=True, slots=True)
class ReportSection:
    """What a stage has to say for itself in a corpus's report, in plain English and of bounded size."""

    title: str
    sentences: tuple[str, ...] = ()
    facts: tuple[tuple[str, str | int], ...] = ()
    """Names and values: the settings that decided, and counts."""
    tables: tuple[ReportTable, ...] = ()
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Sentences for the public summary (AI Act, Art. 53(1)(d)), by section of its template: `2.3` behaviour of
    crawlers, `3.1` reservations of rights, `3.2` illegal content, `3.3` other measures."""
    warnings: tuple[str, ...] = ()
    """What somebody should look at before the corpus is used, each with how to mend it; a build prints them."""
    topic: Literal["evidence", "languages"] = "evidence"
    """The part of the page where it stands."""
    whole: ReportWhole | None = None
    glossary: Mapping[str, str] = field(default_factory=dict)
    """Words for codes that the page shows, such as those of languages."""


@runtime_checkable
class ReportingStage(Protocol):
    """A stage with a section of its own in the report. Asked once, when everything is done, for any kind of stage."""

    @classmethod
    def report(
        cls,
        summary: Mapping[str, Any],
        prepared: Mapping[str, int],
        config: Any,  # noqa: ANN401 - the stage's own Config
    ) -> ReportSection | None:
        """The section, or None for none.

        `summary`: `report.summary.summarise` of the whole ledger, and `funnel` (`report.funnel.funnel_rows`) and
        `mirrors` (counts, perhaps empty), and `codes`, column of the scores -> code -> documents that passed the hard
        decisions (`schema.CODES`). `prepared`: what `prepare` counted; empty where there is none.
        """
        ...


class Encoder(Protocol):
    """Turns text into token ids."""

    name: ClassVar[str]
    version: ClassVar[int]
    Config: ClassVar[type[StageConfig]]

    def open(self) -> None:
        """Load the vocabulary; once per worker process."""

    def encode(self, text: pa.LargeStringArray, spans: pa.ListArray | None) -> pa.ListArray:
        """Token ids (list<uint32>) of each text, BOS first and EOS last; `spans` are placeholders (schema.SPAN)."""
        ...

    def files(self) -> Mapping[str, bytes]:
        """The files (name -> canonical bytes) a reader of the shards needs to decode them."""
        ...


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """Some records of a file, in file order, with a reason for those that end in the reader."""

    records: pa.RecordBatch
    """Of `schema.RECORD`."""
    verdict: Verdict
    others: Mapping[str, int] = field(default_factory=dict)
    """Entries seen since the last batch that are no records (WARC type -> count)."""


@dataclass(frozen=True, slots=True)
class FileCount:
    """What an independent count finds in a file: records plus corrupt ranges, as the ledger must have them."""

    records: int
    corrupt_ranges: int = 0

    @property
    def rows(self) -> int:
        """Ledger rows that the file must have."""
        return self.records + self.corrupt_ranges


class Reader(Protocol):
    """Reads one file of a source. Constructed as `Reader(config, source_name)`."""

    name: ClassVar[str]
    version: ClassVar[int]
    Config: ClassVar[type[StageConfig]]
    reasons: ClassVar[tuple[Reason, ...]]
    provides_text: ClassVar[bool]
    """Whether its records hold `text` already, so that no stage need extract it.

    A class may also have `planted: bool`, whether its records are planted: they pass no stage and no decision, are
    compared with nothing, and are kept; then it has `plants` too (`planting.PlantingReader`). And it may have
    `excerpts: bool`, whether the bytes [offset, offset + length) of some records, one after another, are as a rule a
    file that holds these records: then a few are read again without the whole file. Where it turns out otherwise, the
    whole file is read."""

    def check(self, stream: BinaryIO) -> None:
        """Raise `ValueError` if the configured columns are not in the file; called while the manifest is validated."""

    def read(self, stream: BinaryIO, file: str) -> Iterator[ReadBatch]:
        """Yield every record once, in file order, batches cut at a few MB. Never raises for bad bytes."""
        ...

    def count(self, stream: BinaryIO) -> FileCount:
        """Count the same file by other code than `read`; see `glancing` for a reader that can do with less."""
        ...
