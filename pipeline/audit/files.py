"""Every file of the run folder: whether it is what corpus.json says, and whether corpus.json names it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pyarrow import fs

from lauter.pipeline.audit.findings import AuditReport
from lauter.pipeline.audit.index import MORE_KINDS, PART_KINDS, CorpusIndex, InputEntry
from lauter.pipeline.audit.tables import LAYOUTS, layout_problem
from lauter.pipeline.corpus import CORPUS, combined_digest
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.tamper import problem_of

UNLISTED = "state"
"""The one folder whose files are in no list: what a build remembers for the next one."""


@dataclass(frozen=True, slots=True)
class PartFiles:
    """An input, and those of its files that are intact, by folder."""

    entry: InputEntry
    files: Mapping[str, Output]


def check_files(storage: Storage, index: CorpusIndex, report: AuditReport) -> set[str]:
    """Digest every listed file, find those that are in no list; returns the paths of the intact ones."""
    intact = set()
    listed: Counter[str] = Counter()
    for kind in index.files:
        for output in index.outputs(kind):
            listed[output.path] += 1
            report.files += 1
            problem = problem_of(storage, output)
            if problem is None and kind in LAYOUTS:
                problem = layout_problem(storage, kind, output)
            if problem is None:
                intact.add(output.path)
            else:
                report.violations.append(problem)
    for path, count in listed.items():
        if count > 1:
            report.violations.append(f"{path}: stands {count} times in the lists of corpus.json")
    for path in sorted(_present(storage)):
        if path not in listed and path != CORPUS:
            report.violations.append(f"{path}: stands in the run folder but in no list of corpus.json")
    if combined_digest(index.outputs("ledger")) != index.ledger_sha256:
        report.violations.append("corpus.json: the ledger's combined digest does not match its list of parts")
    return intact


def _present(storage: Storage) -> Iterator[str]:
    selector = fs.FileSelector(storage.absolute("").rstrip("/"), recursive=False)
    for info in storage.filesystem.get_file_info(selector):
        if info.type == fs.FileType.File:
            yield info.base_name
        elif info.type == fs.FileType.Directory and info.base_name != UNLISTED:
            yield from storage.list(info.base_name)


def part_files(index: CorpusIndex, intact: set[str], report: AuditReport) -> list[PartFiles]:
    """The files of each input, in the order of the inputs; each must have exactly one of every kind."""
    names = Counter(entry.part for entry in index.inputs)
    for name, count in names.items():
        if count > 1:
            report.violations.append(f"corpus.json: {count} inputs are named {name}")
    kinds = [*PART_KINDS, *(kind for kind in MORE_KINDS if kind in index.files)]
    listed = {kind: {output.path: output for output in index.outputs(kind)} for kind in kinds}
    for kind, files in listed.items():
        wanted = {_path(kind, name): name for name in names}
        for path, name in wanted.items():
            if path not in files:
                report.violations.append(f"corpus.json: input {name} has no file in the list of {kind}")
        for path in files:
            if path not in wanted:
                report.violations.append(f"corpus.json: {path} is in the list of {kind}, but no input has this name")
    return [
        PartFiles(
            entry,
            {
                kind: listed[kind][path]
                for kind in kinds
                if (path := _path(kind, entry.part)) in listed[kind] and path in intact
            },
        )
        for entry in index.inputs
        if names[entry.part] == 1
    ]


def _path(kind: str, part: str) -> str:
    return f"{kind}/{part}.parquet"
