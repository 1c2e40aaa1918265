"""Every keep derived again, by the verifiers of the stages that have one: another path than the one that decided.

The parameters are those of manifest.lock.yaml, with the auditor's in their place where he gives some. The kept rows are
gathered by host first, so that what a host says is read once; this takes some 150 bytes a kept row in the folder for
temporary files. Memory is that of the verifier and of one range of hosts.
"""

from __future__ import annotations

import hashlib
import heapq
import tempfile
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lauter.pipeline.audit.files import PartFiles
from lauter.pipeline.audit.findings import AuditReport, counted
from lauter.pipeline.audit.gather import Gathered, gather, gathered_batches
from lauter.pipeline.audit.workers import Workers
from lauter.pipeline.contract import StageConfig
from lauter.pipeline.manifest import Catalogue, load_target
from lauter.pipeline.specs import input_fields
from lauter.pipeline.storage import Storage, StorageError
from lauter.pipeline.verifying import VerifiedStage, Verifier

LOCK = "manifest.lock.yaml"
LISTED = 1_000
"""Violations of one stage that are told one by one; the rest are counted."""

RANGE_ROWS = 200_000
"""Ledger rows of a range of hosts that are aimed at: some 40 MB, and work for seconds."""

BATCH_ROWS = 500_000
"""Rows of a range that are handed over at once, at most on average: more than one only where a host has very many."""


class Decided(NamedTuple):
    """A stage whose decisions are to be derived again."""

    name: str
    stage: type[VerifiedStage]
    config: Any
    """The stage's own Config, with the auditor's options in it."""
    sources: frozenset[str] | None = None
    """The sources that passed it; None: all."""


def decided_stages(
    storage: Storage, catalogue: Catalogue, intact: set[str], options: Mapping[str, Any], report: AuditReport
) -> list[Decided]:
    """The stages that can verify their decisions and have what they need.

    `options`: parameters of the auditor's own, by name, None where there is none. Where he gives none, a stage whose
    input files are gone or changed is left out, and the report says so. Where he gives some, they are carried out or
    `StorageError` is raised, which names every file that is missing.
    """
    asked = any(value is not None for value in options.values())
    if LOCK not in intact:
        if asked and not report.violations:
            raise StorageError(f"no decision can be derived again as was asked: corpus.json does not list {LOCK}")
        report.notes.append(f"no decision is derived again: {LOCK} is not intact")
        return []
    found = []
    able = 0
    for entry in yaml.safe_load(storage.read(LOCK))["stages"]:
        ((name, locked),) = entry.items()
        target = catalogue.stages.get(name)
        cls = load_target(target, "") if target else None
        if cls is None or not hasattr(cls, "verifier"):
            continue
        able += 1
        config = cls.Config.model_validate(locked["config"])
        try:
            chosen = cls.audited(config, options)
        except (ValueError, OSError) as error:
            raise StorageError(f"{name}: {error}") from error
        problems = _problems(config, chosen, locked["inputs"])
        if not problems:
            routed = locked.get("sources")
            found.append(Decided(name, cls, chosen, None if routed is None else frozenset(routed)))
        elif asked:
            raise StorageError(
                f"{name}: its decisions cannot be derived again as was asked: {'; '.join(problems)}. Give a path that "
                "is there, put back what the corpus was built with, or replace it: a snapshot with --robots, all of "
                "the manifest's choices with --policy"
            )
        else:
            report.not_derived.append(name)
            report.notes.append(
                f"{name}: {'; '.join(problems)}; give a snapshot with --robots to derive its decisions again"
            )
    if asked and not able:
        raise StorageError(
            "no stage of this corpus has decisions that could be derived again; leave out --robots and --policy"
        )
    return found


def _problems(built: StageConfig, chosen: StageConfig, recorded: list[Mapping[str, Any]]) -> list[str]:
    """What of the files of `chosen` is not there, or not as it was at build time if it was there, in words."""
    digests = {item["sha256"] for item in recorded}
    problems = []
    for field, _ in input_fields(type(chosen)):
        before = _paths(built, field)
        for path in _paths(chosen, field):
            if path not in before:
                if not Path(path).is_file():
                    problems.append(f"{path} is not there")
            elif not Path(path).is_file():
                problems.append(f"{path} is not here any more")
            elif _digest(path) not in digests:
                problems.append(f"{path} has changed since the build")
    return problems


def _digest(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _paths(config: StageConfig, field: str) -> list[str]:
    value = getattr(config, field)
    return list(value) if isinstance(value, tuple | list) else [value] if value else []


def check_decisions(
    storage: Storage, decided: list[Decided], parts: list[PartFiles], workers: Workers, report: AuditReport
) -> None:
    """Let every stage of `decided_stages` look at the kept rows of all intact ledger parts.

    Raises `StorageError` where a file that it verifies with cannot be read.
    """
    for name, stage, config, sources in decided:
        own = [part for part in parts if sources is None or part.entry.source in sources]
        try:
            verifier = stage.verifier(config)
        except (ValueError, OSError) as error:
            raise StorageError(f"{name}: {error}") from error
        try:
            _check(storage, name, verifier, own, workers, report)
        finally:
            verifier.close()


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
        tally: Counter[str] = Counter()
        for count, listed, seen in workers.run(
            partial(_range, folder, gathered, number, verifier) for number in range(ranges)
        ):
            found += count
            denied = heapq.nsmallest(LISTED, denied + listed)
            tally.update(seen)
    report.violations += [f"{name}: {sentence}" for _, sentence in denied]
    report.denied += len(denied) + (found > LISTED)
    if found > LISTED:
        report.violations.append(f"{name}: {counted(found - LISTED, 'more kept record')} of which the same is true")
    report.derived[name] = sum(item.kept for item in gathered)
    report.tallies[name] = dict(sorted(tally.items()))
    report.covered[name] = verifier.covered(tally)
    report.notes += [f"{name}: {note}" for note in verifier.notes(tally)]


def _range(
    folder: str, parts: list[Gathered], number: int, verifier: Verifier
) -> tuple[int, list[tuple[int, str]], Mapping[str, int]]:
    """How many rows of a range of hosts are denied, place and sentence of those first in the ledger, and the tally."""
    found = 0
    denied: list[tuple[int, str]] = []
    for batch in gathered_batches(folder, parts, number, BATCH_ROWS):
        for row, sentence in verifier.check(batch.ledger, batch.signals):
            found += 1
            denied.append((int(batch.place[row]), sentence))
            if len(denied) >= 2 * LISTED:
                denied = heapq.nsmallest(LISTED, denied)
    return found, heapq.nsmallest(LISTED, denied), verifier.tally()
