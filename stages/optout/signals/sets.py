"""Statements as sets of rules, in the form in which the index decides."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

from lauter.stages.optout.robots.rules import Rule, RuleSet, agent_token, canonical_pattern
from lauter.stages.optout.signals.statement import Statement

_FILE_ORDER = frozenset({"tdmrep", "rsl"})
_RFC_TOKEN = re.compile(r"[a-z_-]+").match


def signal_sets(
    statements: Sequence[Statement], agents: Sequence[str], dropped: Collection[str]
) -> tuple[RuleSet, ...]:
    """Sets of rules of the statements whose kind is in `dropped`; one a kind and circle of agents.

    Order of the sets: as their kinds come first in `statements`. Order of the rules, the first match decides: in file
    order for tdmrep and RSL; else the longest path first, and a denial before a permission, since of preferences with
    the same path the most restrictive counts (aipref). A pointer to terms that were not read denies here: a policy that
    drops `rsl-unread` says so. Sets that cannot deny are left out, and statements to agents that are not in `agents`.
    """
    by_kind: dict[str, list[Statement]] = {}
    for one in statements:
        if one.signal in dropped and (one.says != "note" or one.signal == "rsl-unread"):
            by_kind.setdefault(one.signal, []).append(one)
    heard_by = _Circles(agents)
    found: list[RuleSet] = []
    for kind, said in by_kind.items():
        circles: dict[tuple[int, ...], list[str]] = {}
        for agent in agents:
            heard = tuple(i for i, one in enumerate(said) if agent in heard_by.names(one.agents))
            circles.setdefault(heard, []).append(agent)
        forms = [_forms(one) for one in said]
        for heard, circle in circles.items():
            rules = _deciding_order([rule for i in heard for rule in forms[i]], kind)
            if rules:
                agent = "*" if "*" in circle else circle[0]
                found.append(RuleSet(agent, rules, signal=kind, agents=tuple(circle)))
    return tuple(found)


class _Circles:
    """Whom of the policy's agents each group of declared ones names; a group's statements share one tuple."""

    def __init__(self, agents: Sequence[str]) -> None:
        self._agents = agents
        self._known: dict[int, tuple[tuple[str, ...], frozenset[str]]] = {}

    def names(self, declared: tuple[str, ...]) -> frozenset[str]:
        # By identity: to hash a group of 38,000 names for each of as many lines takes minutes. The tuple is kept, so
        # that its identity stays its own.
        known = self._known.get(id(declared))
        if known is None:
            spoken_to = frozenset(agent for agent in self._agents if _speak_to(declared, agent))
            known = self._known[id(declared)] = (declared, spoken_to)
        return known[1]


def _speak_to(declared: Sequence[str], agent: str) -> bool:
    # To everyone, to `*`, or by name as in `rules.rule_sets`.
    return not declared or any(_names(one, agent) for one in declared)


def _names(declared: str, agent: str) -> bool:
    full, token = agent_token(declared), agent_token(agent)
    if full == "*" or full == token:
        return True
    # A reader of RFC 9309 cuts names to `[A-Za-z_-]+`: `GPTBot2` names GPTBot, and `AI` names AI2Bot.
    cut = _RFC_TOKEN(token)
    if cut is None:
        return False
    if cut[0] != token:
        return full == cut[0]
    short = _RFC_TOKEN(full)
    return short is not None and short[0] == token


def _deciding_order(rules: list[Rule], kind: str) -> tuple[Rule, ...]:
    if kind not in _FILE_ORDER:
        key: Callable[[Rule], tuple[int, bool, int, bytes]] = lambda rule: (  # noqa: E731
            -len(rule.path) - rule.anchored,
            rule.allow,
            rule.line,
            rule.path,
        )
        rules.sort(key=key)
    while rules and rules[-1].allow:
        rules.pop()  # What no rule denies is allowed anyway.
    return tuple(rules)


def _forms(one: Statement) -> list[Rule]:
    anchored = one.path.endswith("$")
    path = one.path[:-1] if anchored else one.path
    forms = [canonical_pattern(path)]
    if "*" in path and "%" in path:
        # Whether an escaped `/` behind a star is met in the path or in the query, the target decides.
        forms = sorted({*forms, canonical_pattern(path, after_star=1)})
    return [Rule(one.says == "allow", form, anchored, one.line or 0, one.text) for form in forms]
