"""Probes: what corpus.json says was planted is what its inputs hold, and nothing else passed as planted.

A planted record meets no stage, so its keep rests on nothing that could be derived again. That is right for a text
that the provider put there himself, and for no page of anybody: a planted record has no URL.
"""

from __future__ import annotations

import pyarrow.compute as pc

from lauter.pipeline.audit.files import PartFiles
from lauter.pipeline.audit.findings import AuditReport, counted
from lauter.pipeline.audit.index import CorpusIndex
from lauter.pipeline.audit.tables import row_groups
from lauter.pipeline.manifest import Catalogue, load_target
from lauter.pipeline.storage import Storage, StorageError


def planted_names(index: CorpusIndex, catalogue: Catalogue) -> frozenset[str]:
    """The sources whose reader plants."""
    targets = {name: catalogue.readers.get(source.kind) for name, source in index.sources.items()}
    return frozenset(
        name for name, target in targets.items() if target and getattr(load_target(target, ""), "planted", False)
    )


def check_probes(
    storage: Storage, index: CorpusIndex, catalogue: Catalogue, parts: list[PartFiles], report: AuditReport
) -> None:
    """Compare the listed probes with the inputs, and look for a planted record that has a URL."""
    planted = planted_names(index, catalogue)
    listed = {(entry.source, entry.file): entry for entry in index.probes}
    for item in index.inputs:
        entry = listed.pop((item.source, item.file), None)
        if item.source not in planted:
            if entry is not None:
                report.violations.append(f"corpus.json: lists {item.file} as probes, and {item.source} plants nothing")
            continue
        records = sum(bucket.records for bucket in entry.buckets) if entry else 0
        if entry is None or entry.sha256 != item.sha256 or records != item.counted.records:
            report.violations.append(
                f"corpus.json: {item.file} plants {counted(item.counted.records, 'record')}, and its probes say "
                f"{records} of a file {entry.sha256[:16] if entry else 'that is not listed'}"
            )
    report.violations += [f"corpus.json: lists probes of {file}, which is no input" for _, file in listed]
    for part in parts:
        if part.entry.source in planted and "ledger" in part.files:
            path = part.files["ledger"].path
            try:
                with_url = sum(
                    len(pc.drop_null(table.column("url"))) for table in row_groups(storage, "ledger", path, "url")
                )
            except StorageError as error:
                report.violations.append(str(error))
                continue
            if with_url:
                report.violations.append(
                    f"{path}: {counted(with_url, 'planted record')} with a URL, which no probe has"
                )
