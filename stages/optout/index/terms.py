"""What of a policy the compiled index depends on."""

from __future__ import annotations

from typing import NamedTuple

from lauter.stages.optout.policy import SIGNALS, Policy
from lauter.stages.optout.robots.rules import Reading, Star

SIGNAL_NAMES = tuple(SIGNALS)
"""Kinds of signal in the order in which the index numbers them."""


class Terms(NamedTuple):
    """Whose rules and which signals are compiled. Two policies with equal terms share an index."""

    agents: tuple[str, ...]
    """In the policy's order."""
    reading: Reading = "rfc9309"
    star: Star = "agent"
    dropped: frozenset[str] = frozenset({"robots.txt"})
    """Kinds of signal that end a page: their denials become sets of rules."""
    recorded: frozenset[str] = frozenset()
    """Further kinds whose statements are kept as evidence."""
    every_version: bool = False
    """All answers up to `as_of` are kept, so that what stood at a page's crawl time can be asked."""
    as_of: int | None = None
    """Seconds since 1970: later answers are not looked at."""

    @classmethod
    def of(cls, policy: Policy, agents: tuple[str, ...], as_of: int | None = None) -> Terms:
        """The terms of a policy whose list of agents is loaded."""
        by_action = {
            action: frozenset(kind for kind, chosen in policy.signals.items() if chosen == action)
            for action in ("drop", "record")
        }
        return cls(
            agents,
            policy.reading,
            policy.star,
            by_action["drop"],
            by_action["record"],
            policy.also_at_crawl_time,
            as_of,
        )
