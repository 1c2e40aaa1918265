"""Which rank holds tensors of which names: those of one stage of a pipeline the same, those of another stage others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import xxhash

from lauter.trainer.checkpoint.agreement import Agreement


@dataclass(frozen=True, slots=True)
class HeldNames:
    """As one rank knows it."""

    everywhere: frozenset[str]
    """The names of all ranks together."""
    key: str
    """Of this rank's names: equal on ranks that hold the same ones."""
    ranks: int
    """How many hold this rank's names: where nobody else has any of them, only these can have copies."""


def held_names(names: Iterable[str], agreement: Agreement) -> HeldNames:
    """What all ranks hold; called by all of them.

    Thousands of ranks with thousands of names would send gigabytes: a list is sent once for all ranks that have it.
    """
    mine = sorted(names)
    keys = agreement.gather(key_of(mine))
    first: dict[str, int] = {}
    for rank, key in enumerate(keys):
        first.setdefault(key, rank)
    lists = [agreement.told_by(rank, mine) for rank in first.values()]
    everywhere = frozenset(name for one in lists for name in one)
    apart = sum(map(len, lists)) == len(everywhere)
    key = keys[agreement.rank] if apart else ""
    return HeldNames(everywhere, key, keys.count(key) if apart else agreement.ranks)


def key_of(names: Iterable[str]) -> str:
    """A digest of names, in their order."""
    return xxhash.xxh3_128_hexdigest("\n".join(names))
