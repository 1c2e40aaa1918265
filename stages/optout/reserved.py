"""What the pages of a batch reserve for themselves, under a policy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import schema
from lauter.stages.optout.policy import Policy
from lauter.stages.optout.reasons import OF_SIGNAL
from lauter.stages.optout.robots.rules import TEXT_LIMIT, agent_token
from lauter.stages.optout.signals.page_statements import page_statements, tdm_of_page

PAGE_SIGNALS = (
    "content-usage",
    "content-usage-draft",
    "content-signal",
    "tdmrep",
    "noai",
    "noimageai",
    "agent-noindex",
    "noindex",
    "rsl-unread",
    "licence",
)
"""Kinds of `policy.SIGNALS` that a header or a page can say."""


class Reserved(NamedTuple):
    """What n pages say of themselves."""

    reason: NDArray[np.uint8]
    """Code of `reasons.REASONS` for each page, 0 where it reserves nothing that the policy drops."""
    rule: pa.StructArray
    """`schema.RULE`: the statement, null where there is none."""
    speaks_of_tdm: NDArray[np.bool_]
    """Whether the page itself has a tdm-reservation, which goes before the origin's file."""


def wanted(policy: Policy) -> bool:
    """Whether pages need be looked at at all."""
    return any(policy.signals[kind] != "ignore" for kind in PAGE_SIGNALS)


class PageReader:
    """Reads raw signals under one policy; remembers what common ones mean."""

    def __init__(self, policy: Policy, agents: Sequence[str]) -> None:
        self._policy = policy
        names = tuple(agents)
        self._named = {agent_token(agent): agent for agent in reversed(names)}
        # Most pages say one of a few things: `noindex`, `index, follow`, a link to the same licence.
        self._statements = lru_cache(4096)(lambda place, name, value: page_statements(place, name, value, names))

    def read(self, signals: pa.RecordBatch, count: int) -> Reserved:
        """The reservations in raw signals (`raw.PAGE_SIGNAL`, ordered by row) of `count` pages."""
        reason = np.zeros(count, np.uint8)
        speaks = np.zeros(count, np.bool_)
        rules: list[dict[str, object] | None] = [None] * count
        columns = (signals.column(name).to_pylist() for name in ("row", "place", "name", "value", "position"))
        for row, said in groupby(zip(*columns, strict=True), key=lambda item: item[0]):
            page = [item[1:] for item in said]
            tdm = tdm_of_page(((place, name, value) for place, name, value, _ in page), self._policy.reading)
            speaks[row] = tdm is not None
            for place, name, value, position in page:
                found = self._denial(place, name, value, tdm)
                if found is not None:
                    kind, agent = found
                    reason[row] = OF_SIGNAL[kind]
                    line = position if place == "header" else None
                    text = f"{place} {name}: {value}"[:TEXT_LIMIT]
                    rules[row] = {"agent": agent, "signal": kind, "line": line, "text": text}
                    break
        return Reserved(reason, pa.array(rules, schema.RULE), speaks)

    def _denial(self, place: str, name: str, value: str, tdm: str | None) -> tuple[str, str | None] | None:
        """(kind, agent) of the first statement in a raw signal that ends the page."""
        for statement in self._statements(place, name, value):
            if not self._policy.drops(statement.signal):
                continue
            denies = tdm == "deny" if statement.signal == "tdmrep" else statement.says == "deny"
            # A pointer to terms that nobody has read says nothing itself; a policy that drops it says enough.
            if (denies and statement.says == "deny") or statement.signal == "rsl-unread":
                said_to = statement.agents[0] if statement.agents else None
                return statement.signal, self._named.get(agent_token(said_to), said_to) if said_to else None
        return None
