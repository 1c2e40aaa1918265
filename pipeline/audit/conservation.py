"""Conservation: as many ledger rows as records went in, counted from the ledger and, once more, from the inputs."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc

from lauter.pipeline import schema
from lauter.pipeline.audit.files import PartFiles
from lauter.pipeline.audit.findings import AuditReport, counted
from lauter.pipeline.audit.index import CorpusIndex, InputEntry
from lauter.pipeline.audit.tables import row_groups
from lauter.pipeline.manifest import Catalogue, load_target
from lauter.pipeline.report.totals import summarise
from lauter.pipeline.storage import Storage, StorageError, open_input

BLOCK_BYTES = 8 << 20


def check_conservation(storage: Storage, index: CorpusIndex, parts: list[PartFiles], report: AuditReport) -> None:
    """Count every intact ledger part against its input; the report's counts are their sums."""
    verdicts: Counter[str] = Counter()
    records_in = 0
    readable = []
    for part in parts:
        if "ledger" not in part.files:
            continue
        output, entry = part.files["ledger"], part.entry
        try:
            found = _verdicts(storage, output.path, entry, report)
        except StorageError as error:
            report.violations.append(str(error))
            continue
        readable.append(output.path)
        verdicts += found
        records_in += entry.counted.rows
        if output.rows != entry.counted.rows:
            report.violations.append(
                f"{output.path}: {counted(output.rows, 'ledger row')} for "
                f"{counted(entry.counted.rows, 'record')} counted in {entry.file}"
            )
    report.counts = {"records_in": records_in, **{name: verdicts[name] for name in schema.VERDICTS}}
    if records_in != sum(verdicts.values()):
        report.violations.append(
            f"{counted(records_in, 'record')} went in, {counted(sum(verdicts.values()), 'ledger row')} came out"
        )
    if len(readable) < len(index.inputs):
        report.notes.append(
            f"the counts are those of {len(readable)} of {len(index.inputs)} inputs: the ledger of the others is not "
            "intact, so corpus.json's summary is not compared either"
        )
    elif summarise(storage, readable) != index.summary:
        report.violations.append("corpus.json: its summary is not what the ledger says")


def _verdicts(storage: Storage, path: str, entry: InputEntry, report: AuditReport) -> Counter[str]:
    verdicts: Counter[str] = Counter()
    for group, table in enumerate(row_groups(storage, "ledger", path, "source", "verdict")):
        for value in pc.value_counts(table.column("verdict").cast(pa.string())).to_pylist():
            verdicts[value["values"]] += value["counts"]
        sources = pc.unique(table.column("source").cast(pa.string())).to_pylist()
        if sources != [entry.source]:
            report.violations.append(f"{path}: row group {group} has rows of another source than {entry.source}")
    for name in sorted(set(verdicts) - set(schema.VERDICTS)):
        report.violations.append(f"{path}: {counted(verdicts[name], 'row')} of the unknown verdict {name!r}")
    return verdicts


def recount(index: CorpusIndex, catalogue: Catalogue, report: AuditReport) -> None:
    """Count the inputs again, where they are still there and the same."""
    for entry in index.inputs:
        source = index.sources.get(entry.source)
        if source is None:
            report.violations.append(f"corpus.json: input {entry.part} is of source {entry.source}, which it lacks")
            continue
        target = catalogue.readers.get(source.kind)
        if target is None:
            report.notes.append(f"{entry.file}: no reader is named {source.kind} here; its count at build time stands")
            continue
        try:
            digest = _digest(entry.uri)
        except (StorageError, OSError):
            report.notes.append(f"{entry.file}: the input is not here any more; its count at build time stands")
            continue
        if digest != entry.sha256:
            report.notes.append(f"{entry.file}: the input has changed since the build; its count at build time stands")
            continue
        try:
            cls = load_target(target, "")
            reader = cls(cls.Config.model_validate(source.options), entry.source)
            with open_input(entry.uri) as stream:
                found = reader.count(cast(BinaryIO, stream))
        except Exception as error:  # a reader may raise anything, and its options come from corpus.json
            report.violations.append(f"{entry.file}: cannot be counted again: {error}")
            continue
        report.recounted += 1
        if (found.records, found.corrupt_ranges) != (entry.counted.records, entry.counted.corrupt_ranges):
            report.violations.append(
                f"{entry.file}: counted again it has {counted(found.records, 'record')} and "
                f"{counted(found.corrupt_ranges, 'corrupt range')}, "
                f"corpus.json says {entry.counted.records} and {entry.counted.corrupt_ranges}"
            )


def _digest(uri: str) -> str:
    digest = hashlib.sha256()
    with open_input(uri) as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
