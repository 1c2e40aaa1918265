"""Every keep derived again, by the verifiers of the stages that have one: another path than the one that decided.

The parameters are those of manifest.lock.yaml, with the auditor's in their place where he gives some. The kept rows are
gathered by host first, so that what a host says is read once; this takes some 150 bytes a kept row in the folder for
temporary files. Memory is that of the verifier and of one range of hosts.
"""

from __future__ import annotations

import hashlib
import heapq
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from lauter.pipeline.audit.files import PartFiles
from lauter.pipeline.audit.findings import AuditReport
from lauter.pipeline.audit.gather import Gathered, gather, gathered_batches
from lauter.pipeline.audit.workers import Workers
from lauter.pipeline.contract import VerifiedStage, Verifier
from lauter.pipeline.manifest import Catalogue, load_target
from lauter.pipeline.resolve import input_fields
from lauter.pipeline.storage import Storage, StorageError

LOCK = "manifest.lock.yaml"
LISTED = 1_000
"""Violations of one stage that are told one by one; the rest are counted."""

RANGE_ROWS = 200_000
"""Ledger rows of a range of hosts that are aimed at: some 40 MB, and work for seconds."""

BATCH_ROWS = 500_000
"""Rows of a range that are handed over at once, at most on average: more than one only where a host has very many."""


def check_decisions(
    storage: Storage,
    catalogue: Catalogue,
    parts: list[PartFiles],
    intact: set[str],
    options: Mapping[str, Any],
    workers: Workers,
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
            try:
                _check(storage, name, verifier, parts, workers, report)
            finally:
                verifier.close()


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


def _check(
    storage: Storage, name: str, verifier: Verifier, parts: list[PartFiles], workers: Workers, report: AuditReport
) -> None:
    ledgers = [part for part in parts if "ledger" in part.files]
    ranges = 1 + sum(part.files["ledger"].rows for part in ledgers) // RANGE_ROWS
    with tempfile.TemporaryDirectory(prefix="lauter-verify-") as folder:
        jobs = (
            partial(
                gather,
                storage,
                part.files["ledger"].path,
                f"signals/{part.entry.part}.parquet",
                folder,
                str(number),
                ranges,
            )
            for number, part in enumerate(ledgers)
        )
        gathered = list(workers.run(jobs))
        report.violations += [f"{name}: {item.problem}" for item in gathered if item.problem]
        found = 0
        denied: list[tuple[int, str]] = []
        for count, listed in workers.run(
            partial(_range, folder, gathered, number, verifier) for number in range(ranges)
        ):
            found += count
            denied = heapq.nsmallest(LISTED, denied + listed)
    report.violations += [f"{name}: {sentence}" for _, sentence in denied]
    if found > LISTED:
        report.violations.append(f"{name}: {found - LISTED} more kept records of which the same is true")
    report.derived[name] = sum(item.kept for item in gathered)
    report.notes += [f"{name}: {note}" for note in verifier.notes]


def _range(folder: str, parts: list[Gathered], number: int, verifier: Verifier) -> tuple[int, list[tuple[int, str]]]:
    """How many rows of a range of hosts are denied, and place and sentence of those that stand first in the ledger."""
    found = 0
    denied: list[tuple[int, str]] = []
    for batch in gathered_batches(folder, parts, number, BATCH_ROWS):
        for row, sentence in verifier.check(batch.ledger, batch.signals):
            found += 1
            denied.append((int(batch.place[row]), sentence))
            if len(denied) >= 2 * LISTED:
                denied = heapq.nsmallest(LISTED, denied)
    return found, heapq.nsmallest(LISTED, denied)
