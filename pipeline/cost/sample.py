"""A part of a manifest's own input that takes seconds: some of its files, and of those every n-th record.

Every n-th record of whole files, and no first megabytes, since a crawl changes along a file: by language, by host, by
day. The choice depends on the manifest and its files alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, ClassVar, cast

import numpy as np
import pyarrow as pa
import xxhash

from lauter.pipeline.contract import FileCount, ReadBatch, Reader, Reason, StageConfig, Verdict
from lauter.pipeline.cost import meter
from lauter.pipeline.cost.rates import Spent
from lauter.pipeline.glancing import Seen
from lauter.pipeline.manifest import Manifest, Source, StageSpec, load_target
from lauter.pipeline.storage import FileStat, open_input

FILE_BYTES = 64 << 20
"""Bytes of files of a source that are opened; one file at least, however large."""
PREPARE_BYTES = 32 << 20
"""The same of a snapshot that a stage is prepared from."""
MIN_RECORDS = 64
"""A source gives at least so many records, if it has them."""
FEW_RECORDS = 4
"""Of the smaller run: what a task costs that has next to nothing to do."""


class SampledReaderConfig(StageConfig):
    """Which reader, and which of its records."""

    target: str
    config: dict[str, Any]
    every: int


class SampledReader:
    """Every n-th record of another reader's file, the first included."""

    name: ClassVar[str] = "sampled"
    version: ClassVar[int] = 1
    provides_text: ClassVar[bool] = True
    Config: ClassVar[type[StageConfig]] = SampledReaderConfig

    def __init__(self, config: SampledReaderConfig, source: str) -> None:
        cls = load_target(config.target, "")
        self._reader: Reader = cls(cls.Config.model_validate(config.config), source)
        self._every = config.every
        self._given = 0
        self._seen = Seen(self._reader)
        self.reasons: tuple[Reason, ...] = self._reader.reasons

    def check(self, stream: BinaryIO) -> None:
        """As the reader does."""
        self._reader.check(stream)

    def read(self, stream: BinaryIO, file: str) -> Iterator[ReadBatch]:
        """The chosen records."""
        before = self._given = 0
        self._seen = Seen(self._reader)
        for batch in self._reader.read(stream, file):
            self._seen.add(batch.verdict)
            count = batch.records.num_rows
            chosen = np.arange(-before % self._every, count, self._every)
            before += count
            if len(chosen):
                self._given += len(chosen)
                yield _taken(batch, chosen)

    def count(self, stream: BinaryIO) -> FileCount:
        """Count the whole file as a build does, and say how many records were given."""
        self._seen.counted(stream)
        return FileCount(self._given)


def _taken(batch: ReadBatch, chosen: np.ndarray[Any, np.dtype[np.int64]]) -> ReadBatch:
    rows, verdict = pa.array(chosen), batch.verdict
    rule = None if verdict.rule is None else verdict.rule.take(rows)
    columns = {name: column.take(rows) for name, column in verdict.columns.items()}
    return ReadBatch(batch.records.take(rows), Verdict(verdict.reason[chosen], columns, rule), batch.others)


@dataclass(frozen=True, slots=True)
class Survey:
    """What reading the chosen files of a source finds, and takes."""

    source: str
    records: int
    payload_bytes: int
    read: Spent


def survey(source: Source) -> Survey:
    """Read, count and digest every file of a source as a build does, and do nothing else."""
    before, records, payload_bytes = meter.now(), 0, 0
    for file in source.files:
        reader = source.make()
        seen = Seen(reader)
        with open_input(file.uri) as stream:
            for batch in reader.read(cast(BinaryIO, stream), file.uri):
                seen.add(batch.verdict)
                records += batch.records.num_rows
                payload_bytes += content_bytes(batch.records)
        with open_input(file.uri) as stream:
            seen.counted(cast(BinaryIO, stream))
        digest = hashlib.sha256()
        with open_input(file.uri) as stream:
            while block := stream.read(8 << 20):
                digest.update(block)
    return Survey(source.name, records, payload_bytes, meter.since(before))


def content_bytes(records: pa.RecordBatch) -> int:
    """Bytes of the payloads and texts of some records."""
    names = [name for name in ("payload", "text") if name in records.schema.names]
    return sum(int(records.column(name).nbytes) for name in names)


def chosen_files(files: Sequence[FileStat], limit: int) -> tuple[FileStat, ...]:
    """Files in the order of a hash of their names, until they hold `limit` bytes: at least one, sorted by URI."""
    found: list[FileStat] = []
    for file in sorted(files, key=lambda file: (xxhash.xxh3_64_intdigest(file.uri.rsplit("/", 1)[-1]), file.uri)):
        if found and sum(one.size for one in found) + file.size > limit:
            continue
        found.append(file)
    return tuple(sorted(found, key=lambda file: file.uri))


def few_files(manifest: Manifest) -> Manifest:
    """The manifest with the files that are sampled, of sources and of what stages are prepared from.

    Demands of takedown are left out: a forecast is of a build.
    """
    sources = [replace(source, files=chosen_files(source.files, FILE_BYTES)) for source in manifest.sources]
    stages = [prepared_from_few(stage, PREPARE_BYTES) for stage in manifest.stages]
    return replace(manifest, sources=tuple(sources), stages=tuple(stages), takedown=())


def prepared_from_few(stage: StageSpec, limit: int) -> StageSpec:
    """A stage with fewer of the files that it is prepared from; the files of other fields stay."""
    field = getattr(stage.load(), "prepare_from", None)
    wanted = set(stage.config.get(field) or ()) if field else set()
    files = [file for file in stage.inputs if file.uri in wanted]
    if field is None or not files:
        return stage
    kept = {file.uri for file in chosen_files(files, limit)}
    config = {**stage.config, field: [uri for uri in stage.config[field] if uri in kept]}
    return replace(stage, config=config, inputs=tuple(f for f in stage.inputs if f.uri not in wanted or f.uri in kept))


def every_nth(surveys: Sequence[Survey], sample_bytes: int) -> dict[str, int]:
    """Source -> n, so that all sources together give about `sample_bytes`, and a small one enough records.

    All give the same number of bytes, if they have it: each may be of another kind.
    """
    left, found = sample_bytes, {}
    by_size = sorted(surveys, key=lambda survey: survey.payload_bytes)
    for position, one in enumerate(by_size):
        given = max(1, min(one.payload_bytes, left // (len(by_size) - position)))
        left -= given
        found[one.source] = min(max(1, -(-one.payload_bytes // given)), max(1, one.records // MIN_RECORDS))
    return found


def next_to_nothing(surveys: Sequence[Survey]) -> dict[str, int]:
    """Source -> n, so that each gives a few records."""
    return {found.source: max(1, found.records // FEW_RECORDS) for found in surveys}


def sampled(manifest: Manifest, every: dict[str, int]) -> Manifest:
    """The manifest over every n-th record of each source."""
    target = f"{SampledReader.__module__}:{SampledReader.__name__}"
    sources = [
        replace(
            source,
            target=target,
            config={"target": source.target, "config": dict(source.config), "every": every[source.name]},
        )
        for source in manifest.sources
    ]
    return replace(manifest, sources=tuple(sources))
