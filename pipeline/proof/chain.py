"""The root of a corpus, and the chain of the roots that it had before.

    root  = SHA-256(0x02 || ledger root || SHA-256(canonical JSON of corpus.json without `root`))
    entry = {root, ledger_root, rows, lauter, cause, previous}
    link  = SHA-256(0x04 || canonical JSON of an entry), which is `previous` in the next one; 64 zeros in the first

Canonical JSON: keys sorted, no white space, ASCII only. corpus.json holds the entries of all earlier states, oldest
first, so its root binds them too: a corpus cannot get another past without getting another root. `state/roots.json`
holds the same and the present state's entry, since corpus.json is deleted while a build is at work.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from lauter.pipeline.proof.tree import LedgerTree
from lauter.pipeline.storage import Output, Storage, StorageError

CORPUS = "corpus.json"
ROOTS = "state/roots.json"
RANGES = "proof/ranges.json"
CORPUS_ROOT, ENTRY = b"\x02", b"\x04"
FIRST = "0" * 64
"""`previous` of the oldest entry."""

NAMES = frozenset({"root", "ledger_root", "rows", "lauter", "cause", "previous"})

Cause = Literal["build", "takedown"]


def canonical(data: object) -> bytes:
    """JSON of which there is one form only."""
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()


def corpus_digest(corpus: Mapping[str, Any]) -> bytes:
    """SHA-256 of all that corpus.json says but for its root."""
    return hashlib.sha256(canonical({name: value for name, value in corpus.items() if name != "root"})).digest()


def corpus_root(ledger_root: bytes, digest: bytes) -> str:
    """The root, hex, from the ledger's root and the `corpus_digest`."""
    return hashlib.sha256(CORPUS_ROOT + ledger_root + digest).hexdigest()


def link(entry: Mapping[str, Any]) -> str:
    """What the next entry has as `previous`, hex."""
    return hashlib.sha256(ENTRY + canonical(entry)).hexdigest()


def entry_of(corpus: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of the state that a corpus.json describes; raises `KeyError`, `TypeError` where it has no root."""
    return {
        "root": corpus["root"],
        "ledger_root": corpus["ledger_root"],
        "rows": corpus["ledger_tree"]["leaves"],
        "lauter": corpus["lauter"],
        "cause": corpus["cause"],
        "previous": link(corpus["roots"][-1]) if corpus["roots"] else FIRST,
    }


def broken_link(entries: Sequence[Mapping[str, Any]]) -> int | None:
    """The first entry that does not follow from the one before it, None where all do."""
    previous = FIRST
    for number, entry in enumerate(entries):
        if entry["previous"] != previous:
            return number
        previous = link(entry)
    return None


def tree_fields(tree: LedgerTree) -> dict[str, Any]:
    """What corpus.json says of the tree: `ledger_root` and `ledger_tree`."""
    return {
        "ledger_root": tree.root.hex(),
        "ledger_tree": {"ranges": len(tree.ranges), "leaves": tree.rows, "path": RANGES},
    }


def ranges_json(tree: LedgerTree) -> list[list[Any]]:
    """`proof/ranges.json`: number of leaves (two of them sentinels) and root of each range's tree, in order."""
    return [[item.leaves, item.root.hex()] for item in tree.ranges]


def write_ranges(storage: Storage, tree: LedgerTree) -> Output:
    """Publish the ranges; corpus.json must list the file among its `other` ones."""
    return storage.write(RANGES, canonical(ranges_json(tree)) + b"\n")


def remember(storage: Storage) -> None:
    """Save the chain from corpus.json, which is about to be deleted, where `state/` was lost."""
    published = _published(storage)
    if len(published) > len(_remembered(storage)):
        storage.write_json(ROOTS, published)


def publish(storage: Storage, corpus: Mapping[str, Any], cause: Cause) -> dict[str, Any]:
    """Write corpus.json, which must have the `tree_fields`, with its cause, its root and the chain; returns it.

    A state that is the last one of the chain again (nothing changed, or a kill came before corpus.json was written)
    adds nothing to it. Raises `StorageError` where the remembered chain is broken.
    """
    chain = max(_remembered(storage), _published(storage), key=len)
    whole = _sealed(corpus, chain[:-1], chain[-1]["cause"]) if chain else None
    if whole is None or whole["root"] != chain[-1]["root"]:
        whole = _sealed(corpus, chain, cause)
        chain = [*chain, entry_of(whole)]
    storage.write_json(ROOTS, chain)
    storage.write_json(CORPUS, whole)
    return whole


def _sealed(corpus: Mapping[str, Any], roots: Sequence[Mapping[str, Any]], cause: str) -> dict[str, Any]:
    whole = {**corpus, "cause": cause, "roots": list(roots)}
    whole.pop("root", None)
    return {**whole, "root": corpus_root(bytes.fromhex(whole["ledger_root"]), corpus_digest(whole))}


def _remembered(storage: Storage) -> list[dict[str, Any]]:
    if storage.size(ROOTS) is None:
        return []
    entries = storage.read_json(ROOTS)
    if not _is_chain(entries):
        raise StorageError(
            f"{storage.root}/{ROOTS} is no chain of roots: bring it back from a copy, or delete it, and the chain "
            "starts again with what corpus.json has of it"
        )
    return list(entries)


def _published(storage: Storage) -> list[dict[str, Any]]:
    """The chain up to the state of corpus.json; empty where that is absent, broken, or of a time without roots."""
    if storage.size(CORPUS) is None:
        return []
    try:
        corpus = storage.read_json(CORPUS)
        entries = [*corpus["roots"], entry_of(corpus)]
    except (StorageError, KeyError, TypeError):
        return []
    return entries if _is_chain(entries) else []


def _is_chain(entries: object) -> bool:
    return (
        isinstance(entries, list)
        and all(isinstance(entry, dict) and entry.keys() == NAMES for entry in entries)
        and broken_link(entries) is None
    )
