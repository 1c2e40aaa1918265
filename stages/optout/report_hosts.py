"""What the lists of hosts did to a corpus: a choice of the provider, told apart from what owners said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lauter.stages.optout.findings import LIST
from lauter.stages.optout.hosts import HostEntry, HostLists
from lauter.stages.optout.several import several

HOST_DENIED = "host-denied"
"""The reason of a page whose host is refused by a list."""

NAMED = 20
"""Entries of a list that are named in a sentence; the manifest has them all."""


def list_sentences(lists: HostLists, basis: Mapping[str, Any], denied: int) -> tuple[str, ...]:
    """How many hosts are allowed and refused by list, why, and how many records rest on it.

    `basis` is `report.evidence.Evidence.data` of the ledger, `denied` the records that ended as `host-denied`.
    """
    if not lists.allow and not lists.deny:
        return ("No host is allowed or refused by a list.",)
    totals = [item for item in basis["totals"] if item["outcome"] == LIST]
    decided = sum(item["records"] for item in totals)
    passed = decided - denied
    kept = sum(item["records"] for item in totals if item["kept"])
    told = []
    if lists.allow:
        told.append(
            f"{_are(len(lists.allow))} allowed by a list of the provider, so that no reservation of their owners is "
            f"applied to them: {_named(lists.allow)}. {several(passed, 'page')} went past the opt-outs on this ground "
            f"alone, {kept:,} of them {'is' if kept == 1 else 'are'} in the corpus."
        )
    if lists.deny:
        told.append(
            f"{_are(len(lists.deny))} refused by a list of the provider, whatever their owners say: "
            f"{_named(lists.deny)}. {several(denied, 'record')} ended by it; they are not counted as reservations."
        )
    # The basis of a page has the reason of the entry that decided it: a reason that no page has decided none.
    listed = [item for item in basis["outcomes"] if item["outcome"] == LIST]
    met = {item["via"] for item in listed}
    whole = sum(item["records"] for item in listed) == decided
    idle = [entry for entry in (*lists.allow, *lists.deny) if whole and entry.reason not in met]
    if idle:
        told.append(f"No page was met of these entries of the lists: {_hosts([entry.host for entry in idle])}.")
    return tuple(told)


def _are(count: int) -> str:
    return f"{several(count, 'host')} {'is' if count == 1 else 'are'}"


def _named(entries: Sequence[HostEntry]) -> str:
    return _hosts([f"{entry.host} ({entry.reason})" for entry in entries])


def _hosts(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return "; ".join(names[:NAMED]) + (f"; and {more:,} more, which the manifest names" if more > 0 else "")
