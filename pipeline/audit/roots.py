"""Roots: the ledger's Merkle tree computed again, the root of the corpus from it, and the chain of earlier roots.

Whoever can write to a run folder can make all of it agree with itself. Only a root that is kept elsewhere shows that it
is still the same corpus; so everything here comes down to one hash, which `--root` compares.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from lauter.pipeline.audit.findings import AuditReport
from lauter.pipeline.audit.index import CorpusIndex, IndexBroken
from lauter.pipeline.proof.chain import RANGES, broken_link, corpus_digest, corpus_root, ranges_json
from lauter.pipeline.proof.partition import merkle_root
from lauter.pipeline.proof.tree import LedgerTree
from lauter.pipeline.storage import Storage, StorageError

OUTSIDE = (
    "only a root from outside proves anything: take it from where the corpus was published or from who certified it, "
    "never from the folder"
)


def check_roots(
    storage: Storage, index: CorpusIndex, data: bytes, intact: set[str], wanted: str | None, report: AuditReport
) -> None:
    """Compute the root of the corpus, compare it with `wanted` (hex) and with what corpus.json says; check the chain.

    `data` are the bytes of corpus.json. The root is None in the report where it cannot be computed.
    """
    try:
        digest = corpus_digest(_unambiguous(data))
    except IndexBroken as error:
        report.violations += error.sentences
        return
    tree = _tree(storage, index, intact, report)
    if tree is not None:
        _check_tree(storage, index, tree, intact, report)
    report.root = corpus_root(tree.root if tree is not None else bytes.fromhex(index.ledger_root), digest)
    if index.root != report.root:
        report.violations.append(f"corpus.json: its root is {report.root}, it says {index.root}")
    _check_chain(index, report)
    check_wanted(index, wanted, report)


def check_wanted(index: CorpusIndex | None, wanted: str | None, report: AuditReport) -> None:
    """Compare the root with the one from outside; `index` is None where corpus.json could not be read."""
    if wanted is None or (asked := wanted.strip().lower()) == report.root:
        return
    if report.root is None:
        report.violations.append(f"corpus.json: has no root that could be compared with the root {asked}; {OUTSIDE}")
        return
    report.other_root += 1
    earlier = [number for number, entry in enumerate(index.roots) if entry.root == asked] if index else []
    if index and earlier:
        causes = [entry.cause for entry in index.roots[earlier[-1] + 1 :]] + [index.cause]
        report.violations.append(
            f"corpus.json: the root is {report.root}, not the root {asked}, which this corpus had before: since then "
            f"came {', '.join(causes)}; ask for the present root where you have that one from"
        )
    else:
        report.violations.append(f"corpus.json: the root is {report.root}, not the root {asked}; {OUTSIDE}")


def _unambiguous(data: bytes) -> dict[str, Any]:
    """corpus.json as JSON in which no name stands twice: two readers could take it for two different things."""
    twice: set[str] = set()

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice.update(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        return found

    try:
        found: dict[str, Any] = json.loads(data, object_pairs_hook=members)
    except (ValueError, RecursionError) as error:
        raise IndexBroken([f"corpus.json: is no JSON that every reader reads alike ({error})"]) from error
    if twice:
        raise IndexBroken([f"corpus.json: `{name}` stands twice in one object" for name in sorted(twice)])
    return found


def _tree(storage: Storage, index: CorpusIndex, intact: set[str], report: AuditReport) -> LedgerTree | None:
    paths = [output.path for output in index.outputs("ledger")]
    if not intact.issuperset(paths):
        report.notes.append(
            "the ledger's Merkle tree is not computed again, since not all of its parts are intact: the root is that "
            "of the ledger_root that corpus.json gives"
        )
        return None
    try:
        return merkle_root(storage, paths)
    except StorageError as error:
        report.violations.append(str(error))
        return None


def _check_tree(storage: Storage, index: CorpusIndex, tree: LedgerTree, intact: set[str], report: AuditReport) -> None:
    said = index.ledger_tree
    if tree.root.hex() != index.ledger_root:
        report.violations.append(
            f"corpus.json: the ledger's Merkle root is {tree.root.hex()}, it says {index.ledger_root}"
        )
    if (said.ranges, said.leaves, said.path) != (len(tree.ranges), tree.rows, RANGES):
        report.violations.append(
            f"corpus.json: the ledger has {tree.rows} leaves in {len(tree.ranges)} ranges, listed in {RANGES}; it says "
            f"{said.leaves} in {said.ranges}, listed in {said.path}"
        )
    if RANGES not in {output.path for output in index.outputs("other")}:
        report.violations.append(f"corpus.json: {RANGES} is not in the list of other files")
    elif RANGES in intact:
        listed = storage.read_json(RANGES)
        if listed != ranges_json(tree):
            report.violations.append(f"{RANGES}: does not list the roots that the ledger's ranges have")


def _check_chain(index: CorpusIndex, report: AuditReport) -> None:
    broken = broken_link([entry.model_dump() for entry in index.roots])
    if broken is not None:
        report.violations.append(f"corpus.json: `roots.{broken}` does not follow from the root before it")
