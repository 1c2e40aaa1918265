"""Every keep derived again, by the verifiers of the stages that have one: another path than the one that decided.

The parameters are those of manifest.lock.yaml, with the auditor's in their place where he gives some. Memory is that of
the verifiers and of one ledger row group.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import yaml

from lauter.pipeline import exchange, parquet, schema
from lauter.pipeline.audit.files import PartFiles
from lauter.pipeline.audit.findings import AuditReport
from lauter.pipeline.contract import VerifiedStage, Verifier
from lauter.pipeline.manifest import Catalogue, load_target
from lauter.pipeline.resolve import input_fields
from lauter.pipeline.storage import Storage, StorageError

LOCK = "manifest.lock.yaml"
LISTED = 1_000
"""Violations of one stage that are told one by one; the rest are counted."""

_COLUMNS = ("doc_id", "url", "fetched_at", "basis", "verdict")


def check_decisions(
    storage: Storage,
    catalogue: Catalogue,
    parts: list[PartFiles],
    intact: set[str],
    options: Mapping[str, Any],
    report: AuditReport,
) -> None:
    """Let every stage that can verify its decisions look at the kept rows of all intact ledger parts.

    `options`: parameters of the auditor's own, by name. Without some, a stage whose input files are gone or changed is
    not verified, and the report says so. Raises `StorageError` where the auditor's own cannot be used.
    """
    if LOCK not in intact:
        report.notes.append(f"no decision is derived again: {LOCK} is not intact")
        return
    lock = yaml.safe_load(storage.read(LOCK))
    for entry in lock["stages"]:
        ((name, locked),) = entry.items()
        target = catalogue.stages.get(name)
        cls = load_target(target, "") if target else None
        if cls is None or not hasattr(cls, "verifier"):
            continue
        verifier = _verifier(cls, locked, options, report)
        if verifier is not None:
            _check(storage, name, verifier, parts, report)


def _verifier(
    cls: type[VerifiedStage], locked: Mapping[str, Any], options: Mapping[str, Any], report: AuditReport
) -> Verifier | None:
    config = cls.Config.model_validate(locked["config"])  # type: ignore[attr-defined]
    name = cls.name  # type: ignore[attr-defined]
    if not options.get("snapshot"):
        problem = _changed_input(cls, config, locked["inputs"])
        if problem is not None:
            report.notes.append(f"{name}: {problem}; give a snapshot with --robots to derive its decisions again")
            return None
    try:
        return cls.verifier(config, options)
    except (ValueError, OSError) as error:
        raise StorageError(f"{name}: {error}") from error


def _changed_input(cls: Any, config: Any, recorded: list[Mapping[str, Any]]) -> str | None:  # noqa: ANN401 - of any stage
    """What of a stage's input files is not here as it was at build time, in words."""
    digests = {item["sha256"] for item in recorded}
    for field, _ in input_fields(cls.Config):
        value = getattr(config, field)
        for path in value if isinstance(value, tuple | list) else [value] if value else []:
            if not Path(path).is_file():
                return f"{path} is not here any more"
            with Path(path).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() not in digests:
                    return f"{path} has changed since the build"
    return None


def _check(storage: Storage, name: str, verifier: Verifier, parts: list[PartFiles], report: AuditReport) -> None:
    found = checked = 0
    for part in parts:
        if "ledger" not in part.files:
            continue
        signals = _Signals(storage, f"signals/{part.entry.part}.parquet")
        first = 0
        for batch in parquet.batches(storage, part.files["ledger"].path, _COLUMNS):
            kept = batch.filter(pc.equal(batch.column("verdict").cast(pa.string()), "kept"))
            said = signals.take(first, first + batch.num_rows)
            first += batch.num_rows
            checked += kept.num_rows
            for sentence in verifier.check(kept, said):
                found += 1
                if found <= LISTED:
                    report.violations.append(f"{name}: {sentence}")
    if found > LISTED:
        report.violations.append(f"{name}: {found - LISTED} more kept records of which the same is true")
    report.derived[name] = checked
    report.notes += [f"{name}: {note}" for note in verifier.notes]


class _Signals:
    """The rows of a part's signals file, taken in step with its ledger."""

    def __init__(self, storage: Storage, path: str) -> None:
        present = storage.size(path) is not None
        self._batches: Iterator[pa.RecordBatch] = parquet.batches(storage, path) if present else iter(())
        self._held = schema.SIGNAL.empty_table()

    def take(self, first: int, end: int) -> pa.RecordBatch:
        """The signals of record rows [first, end)."""
        while not self._held.num_rows or self._held.column("row")[-1].as_py() < end:
            batch = next(self._batches, None)
            if batch is None:
                break
            self._held = pa.concat_tables([self._held, pa.Table.from_batches([batch])])
        row = self._held.column("row")
        taken = self._held.filter(pc.and_(pc.greater_equal(row, first), pc.less(row, end)))
        self._held = self._held.filter(pc.greater_equal(row, end))
        return exchange.one_batch(taken)
