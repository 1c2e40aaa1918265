"""`lauter takedown`: demands are added to the list of a finished corpus, and the corpus is masked and published anew.

Before anything is touched, `PENDING` gets all that is needed to finish: the corpus as it was, the whole list, and what
the demands hit. A takedown that was killed is finished by the next one, or by the next build.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lauter.pipeline.finished import read_corpus
from lauter.pipeline.lock import build_lock
from lauter.pipeline.proof.chain import CORPUS, remember
from lauter.pipeline.status import PLAN
from lauter.pipeline.storage import Storage
from lauter.pipeline.takedown.copies import find_copies
from lauter.pipeline.takedown.demands import (
    TOMBSTONES,
    Demand,
    joined,
    parse_tombstones,
    read_tombstones,
    tombstone_bytes,
)
from lauter.pipeline.takedown.find import Found, find
from lauter.pipeline.takedown.mask import PENDING, apply, settled
from lauter.pipeline.takedown.republish import republish
from lauter.pipeline.takedown.tell import Told, near_spellings, told
from lauter.pipeline.takedown.words import FILTER, publish_filter

DOC_IDS_SHOWN = 1000
"""Copies that a receipt names; it counts them all."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    receipt: Mapping[str, Any]
    root: str | None
    """The corpus's new root, None where nothing had to be done."""
    resumed: bool = False
    """Whether a takedown that was cut off was finished first."""
    told: Told = field(default_factory=Told)
    """What the one who demands is told, in the words of the lists; it is published nowhere."""


def take_down(storage: Storage, wanted: Sequence[Demand], *, with_copies: bool) -> Outcome:
    """Remove what the demands hit; with none given, only finish a takedown that was cut off.

    Raises `NoCorpus` where the folder holds no finished corpus, in which case nothing is made in it, and `StorageError`
    where another process is at work in it, or a file cannot be read or published.
    """
    if storage.size(PENDING) is None and storage.size(PLAN) is None:
        # No run folder, and nothing is made in it; or a published corpus that came without its state.
        read_corpus(storage)
    with build_lock(storage):
        storage.clear_staging()
        storage.claim()
        outcome = resume(storage)
        if not wanted and outcome is not None:
            return outcome
        intent, said = _intent(storage, wanted, with_copies=with_copies)
        if intent["number"] is None:
            return Outcome(intent["receipt"], None, resumed=outcome is not None, told=said)
        storage.write_json(PENDING, intent)
        return replace(_carry_out(storage, intent, believed=True), resumed=outcome is not None, told=said)


def resume(storage: Storage) -> Outcome | None:
    """Finish a takedown that was cut off; None where there is none. Only for the one who holds the lock."""
    if storage.size(PENDING) is None:
        return None
    intent = storage.read_json(PENDING)
    # A build's own mask leaves no intent: the next build masks again.
    return _carry_out(storage, intent, believed=False) if intent else None


def _intent(storage: Storage, wanted: Sequence[Demand], *, with_copies: bool) -> tuple[dict[str, Any], Told]:
    """All that is to be done, decided before anything is; `number` is None where nothing is new."""
    corpus, _ = read_corpus(storage)
    parts = [entry["part"] for entry in corpus["inputs"]]
    known = read_tombstones(storage)
    next_number = max((item.number for item in known), default=0) + 1
    own, _ = joined([], [replace(item, number=next_number) for item in wanted])
    near = near_spellings(own)
    found = find(storage, parts, own, near.demands)
    said = told(own, known, found, near)
    copies = find_copies(storage, parts, found)
    if with_copies:
        first = own[0]
        own += [Demand("copy", value, first.reason, next_number, first.date) for value in copies.doc_ids]
    demands, new = joined(known, own)
    number = next_number if new else None
    stands = {item.identity: item for item in demands}
    receipt = {
        "number": number,
        "demands": [
            {**stands[item.identity].to_json(), "records": found.by_demand[index]} for index, item in enumerate(own)
        ],
        "known_before": len(own) - len(new),
        "records": found.verdicts(),
        "copies": {
            "taken": with_copies,
            "records": sum(copies.verdicts.values()),
            "verdicts": copies.verdicts,
            "doc_ids": list(copies.doc_ids[:DOC_IDS_SHOWN]),
        },
        "root_before": corpus.get("root"),
        "ledger_root": {"before": corpus.get("ledger_root"), "after": corpus.get("ledger_root")},
    }
    intent = {
        "number": number,
        "corpus": corpus,
        "tombstones": tombstone_bytes(demands).decode(),
        "receipt": receipt,
    }
    return intent, said


def _carry_out(storage: Storage, intent: Mapping[str, Any], *, believed: bool) -> Outcome:
    """Do what the intent says, from the start; all of it may have been done before."""
    corpus = intent["corpus"]
    tombstones = intent["tombstones"].encode()
    demands = parse_tombstones(tombstones, TOMBSTONES)
    storage.write(TOMBSTONES, tombstones)
    remember(storage)
    storage.delete(CORPUS)
    found: Found = find(storage, [entry["part"] for entry in corpus["inputs"]], demands)
    learned = publish_filter(storage, found, corpus["lineage"])
    masked = apply(storage, found, demands, believed=believed)
    receipt = {**intent["receipt"], "filter": {"path": FILTER, "grams": learned.grams}}
    root, receipt = republish(storage, corpus, demands, masked, receipt)
    settled(storage)
    return Outcome(receipt, root)
