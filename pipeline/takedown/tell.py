"""What the one who demands is told: demands that hit nothing or are known, near spellings that are in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lauter.pipeline.spellings import near_hosts, near_urls
from lauter.pipeline.takedown.demands import ANY_SUBDOMAIN, Demand, demand
from lauter.pipeline.takedown.find import Found

NEAR_DEMANDS = 20_000
"""Demands of one takedown up to which near spellings are looked for: seven a URL, about 400 bytes each, 60 MB."""


@dataclass(frozen=True, slots=True)
class Near:
    """Spellings to look for."""

    demands: tuple[Demand, ...] = ()
    of: tuple[int, ...] = ()
    """Index of the demand that each is a near spelling of."""
    looked: bool = True
    """False where the list was too long."""


@dataclass(frozen=True, slots=True)
class Told:
    """Plain words and numbers about demands as they were given."""

    waiting: tuple[Demand, ...] = ()
    """Demands that hit no record."""
    near: tuple[tuple[Demand, str, int], ...] = ()
    """(demand, near spelling, records that stand under it and stay)."""
    known: tuple[tuple[Demand, Demand], ...] = ()
    """(demand, the one that stands in the list for it already)."""
    looked: bool = True
    """Whether near spellings were looked for."""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data."""
        return {
            "waiting": [{"kind": item.kind, "given": item.given} for item in self.waiting],
            "near": [
                {"kind": item.kind, "given": item.given, "spelling": spelling, "records": records}
                for item, spelling, records in self.near
            ],
            "near_looked_for": self.looked,
            "known": [
                {"kind": item.kind, "given": item.given, "number": old.number, "reason": old.reason, "date": old.date}
                for item, old in self.known
            ],
        }


def near_spellings(demands: Sequence[Demand]) -> Near:
    """Other spellings of the URLs and hosts of demands, each once, without those that are demanded too."""
    if len(demands) > NEAR_DEMANDS:
        return Near(looked=False)
    seen = {item.identity for item in demands}
    found, of = [], []
    for index, item in enumerate(demands):
        for text in _spellings(item):
            other = demand(item.kind, text)
            if other.identity not in seen:
                seen.add(other.identity)
                found.append(other)
                of.append(index)
    return Near(tuple(found), tuple(of))


def _spellings(item: Demand) -> tuple[str, ...]:
    given = item.given or ""
    if item.kind == "url":
        return near_urls(given)
    # `*.example.org` has example.org and its www already.
    return near_hosts(given) if item.kind == "host" and not given.startswith(ANY_SUBDOMAIN) else ()


def told(demands: Sequence[Demand], known: Sequence[Demand], found: Found, near: Near) -> Told:
    """What there is to say of demands that were looked up together with their near spellings."""
    stands = {item.identity: item for item in known}
    return Told(
        tuple(item for index, item in enumerate(demands) if not found.by_demand[index]),
        tuple((demands[near.of[i]], str(near.demands[i].given), count) for i, count in sorted(found.near.items())),
        tuple((item, stands[item.identity]) for item in demands if item.identity in stands),
        near.looked,
    )
