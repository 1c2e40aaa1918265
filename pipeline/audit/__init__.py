"""The audit: proves from the files alone that nothing was lost and nothing was touched.

corpus.json is proved by the root, which whoever published the corpus can give elsewhere: one hash over the ledger's
Merkle tree and all that corpus.json says. Every file it names is digested again; the ledger's rows are counted against
the records that other code finds in the inputs; every text is hashed again and found in the ledger; every kept row must
stand in the token shards where the ledger says, and no other row may. What one file has lost never hides what another
says: each check runs over what is intact.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from lauter.pipeline.audit.conservation import check_conservation, recount
from lauter.pipeline.audit.cuts import check_cuts
from lauter.pipeline.audit.decisions import check_decisions, decided_stages
from lauter.pipeline.audit.documents import check_documents
from lauter.pipeline.audit.files import check_files, part_files
from lauter.pipeline.audit.findings import AuditReport
from lauter.pipeline.audit.index import IndexBroken, read_index
from lauter.pipeline.audit.mirrors import check_mirrors
from lauter.pipeline.audit.probes import check_probes, planted_names
from lauter.pipeline.audit.roots import check_roots, check_wanted
from lauter.pipeline.audit.shards import check_shards, check_token_index
from lauter.pipeline.audit.streams import check_streams
from lauter.pipeline.audit.takedown import check_takedown
from lauter.pipeline.audit.workers import Workers, workers_for
from lauter.pipeline.corpus import CORPUS
from lauter.pipeline.manifest import Catalogue
from lauter.pipeline.storage import Storage, StorageError

__all__ = ["AuditReport", "audit"]


def audit(
    storage: Storage,
    catalogue: Catalogue,
    root: str | None = None,
    options: Mapping[str, Any] | None = None,
    workers: int | None = None,
) -> AuditReport:
    """Audit a run folder; `root` is the root (hex) that the corpus must have, from outside the folder.

    `options` take the place of parameters of the stages whose decisions are derived again (`decided_stages`).
    `workers` are the processes it may use; None: the cores of the machine. Raises `StorageError` where the folder holds
    no finished corpus, or an option cannot be used: before the long work, where it is not the content of a file.
    """
    if storage.size(CORPUS) is None:
        raise StorageError(f"{storage.root} holds no finished corpus; run `lauter build` to its end")
    data = storage.read(CORPUS)
    report = AuditReport()
    try:
        index = read_index(data)
    except IndexBroken as error:
        report.violations += error.sentences
        check_wanted(None, root, report)
        return report
    intact = check_files(storage, index, report)
    parts = part_files(index, intact, report)
    decided = decided_stages(storage, catalogue, intact, options or {}, report)
    rows = sum(part.files["ledger"].rows for part in parts if "ledger" in part.files)
    with Workers(workers_for(rows, workers)) as apart:
        apart.check(
            (
                partial(check_roots, storage, index, data, intact, root),
                partial(check_conservation, storage, index, parts),
                partial(recount, index, catalogue),
                *(partial(check_documents, storage, [part]) for part in parts),
                partial(check_mirrors, storage, index, catalogue, parts, intact),
                partial(check_cuts, storage, index, parts),
                partial(check_probes, storage, index, catalogue, parts),
                partial(check_token_index, storage, index, intact),
                partial(check_shards, storage, index, parts, intact),
                partial(check_streams, storage, index, intact),
                partial(check_takedown, storage, index, parts, intact),
            ),
            report,
        )
        planted = planted_names(index, catalogue)
        decidable = [part for part in parts if part.entry.source not in planted]
        check_decisions(storage, decided, decidable, apart, report)
    return report
