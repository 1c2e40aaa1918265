"""corpus.json as the audit takes it: checked for its form before a word of it is used."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    NonNegativeInt,
    StringConstraints,
    ValidationError,
    field_validator,
)

from lauter.pipeline.storage import Output

PART_KINDS = ("documents", "scores", "decisions", "ledger")
"""Folders in which every input has exactly one file, `<folder>/<part>.parquet`."""

MORE_KINDS = ("cuts",)
"""Folders with such files where a stage of the corpus makes them."""

SENTENCES = 20
"""Faults of form that are listed at most."""


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or parts[0] == "/":
        raise ValueError("is no path inside the run folder")
    return path


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class FileEntry(_Entry):
    """A published file, as `Output.to_json` writes it."""

    path: Annotated[str, AfterValidator(_inside)]
    size: NonNegativeInt
    sha256: str
    rows: NonNegativeInt
    row_groups: list[str]

    def output(self) -> Output:
        """The same as an `Output`."""
        return Output(self.path, self.size, self.sha256, self.rows, tuple(self.row_groups))


class Counted(_Entry):
    """What the independent count found in an input."""

    records: NonNegativeInt
    corrupt_ranges: NonNegativeInt

    @property
    def rows(self) -> int:
        """Ledger rows that the input must have."""
        return self.records + self.corrupt_ranges


class InputEntry(_Entry):
    """An input file."""

    part: Annotated[str, AfterValidator(_inside)]
    source: str
    uri: str
    file: str
    sha256: str
    counted: Counted


class SourceEntry(_Entry):
    """How a source is read."""

    kind: str
    options: dict[str, Any]


Hash = Annotated[str, StringConstraints(pattern=r"\A[0-9a-f]{64}\z")]
"""SHA-256 in hex."""


class TreeEntry(_Entry):
    """The shape of the ledger's Merkle tree, and the file that lists the roots of its ranges."""

    ranges: NonNegativeInt
    leaves: NonNegativeInt
    path: str


class TakedownEntry(_Entry):
    """The list of demands that the corpus was masked with."""

    demands: NonNegativeInt
    sha256: Hash


class RootEntry(_Entry):
    """An earlier state of the corpus, as `proof.chain` links them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    root: Hash
    ledger_root: Hash
    rows: NonNegativeInt
    lauter: str
    cause: str
    previous: Hash


class BucketEntry(_Entry):
    """Probes that are planted equally often."""

    records: NonNegativeInt


class ProbesEntry(_Entry):
    """A file of probes."""

    source: str
    file: str
    sha256: str
    buckets: list[BucketEntry]


class CorpusIndex(_Entry):
    """What the audit needs of corpus.json; other keys are free."""

    lineage: str
    layout_id: str
    summary: dict[str, Any]
    inputs: list[InputEntry]
    sources: dict[str, SourceEntry]
    files: dict[str, list[FileEntry]]
    ledger_sha256: str
    root: Hash
    ledger_root: Hash
    ledger_tree: TreeEntry
    cause: str
    roots: list[RootEntry]
    takedown: TakedownEntry
    mirrors: dict[str, Any] | None = None
    streams: dict[str, Any] = {}
    """Stream -> its rows, its tokens and what it holds."""
    cuts: dict[str, Any] | None = None
    probes: list[ProbesEntry] = []

    @field_validator("files")
    @classmethod
    def _all_kinds(cls, files: dict[str, list[FileEntry]]) -> dict[str, list[FileEntry]]:
        missing = [kind for kind in (*PART_KINDS, "tokens", "prepared", "other") if kind not in files]
        if missing:
            raise ValueError(f"has no list of {', '.join(missing)}")
        return files

    def outputs(self, kind: str) -> list[Output]:
        """The files of one kind."""
        return [entry.output() for entry in self.files[kind]]


class IndexBroken(Exception):
    """corpus.json has not the form of one; `sentences` say where."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("; ".join(sentences))
        self.sentences = sentences


def read_index(data: bytes) -> CorpusIndex:
    """Parse the bytes of corpus.json; raises `IndexBroken` with a sentence for each fault of form.

    A corpus of imported token data has no ledger, and is not of that form.
    """
    try:
        return CorpusIndex.model_validate_json(data)
    except ValidationError as error:
        if _is_imported(data):
            sentence = "corpus.json: its tokens were imported, so it has no ledger: it can be trained on, and no more"
            raise IndexBroken([sentence]) from error
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        sentences = [_sentence(fault["type"], fault["loc"], fault["msg"]) for fault in faults[:SENTENCES]]
        if len(faults) > SENTENCES:
            sentences.append(f"corpus.json: {len(faults) - SENTENCES} more faults of form")
        raise IndexBroken(sentences) from error


def _is_imported(data: bytes) -> bool:
    try:
        corpus = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(corpus, dict) and "imported" in corpus


def _sentence(kind: str, location: tuple[int | str, ...], message: str) -> str:
    place = ".".join(str(step) for step in location)
    if kind == "json_invalid":
        return f"corpus.json: is cut or changed, it is no JSON any more ({message})"
    if kind == "missing":
        return f"corpus.json: `{place}` is missing"
    message = message.removeprefix("Value error, ")
    return f"corpus.json: `{place}` {message}" if place else f"corpus.json: {message}"
