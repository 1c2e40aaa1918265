"""What one robots.txt says to a policy's agents of some URLs, agent by agent and reading by reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lauter.pipeline.origin import target_of
from lauter.stages.optout.index.origins import Denial, decide
from lauter.stages.optout.robots.first_match import first_match_sets
from lauter.stages.optout.robots.rules import parse, rule_sets
from lauter.stages.optout.robots.standard import Decision, StandardReader, decide_all


class Verdict(NamedTuple):
    """What a file says of one URL."""

    url: str
    decisions: Mapping[Decision, tuple[str, ...]]
    """By RFC 9309: each decision with the agents that it is for, denials first."""
    spelt: Denial | None
    """A denial that the standard does not see, and a build does: an odd spelling, a rule that stands in no group."""
    first_match: Mapping[str, Denial | None]
    """The agents to whom a first-match reader of the older drafts answers otherwise, and what denies (None: it
    permits). Empty where it is not asked."""

    @property
    def allowed(self) -> bool:
        """Whether every agent may, by RFC 9309."""
        return all(decision.allowed for decision in self.decisions)


class FileVerdicts(NamedTuple):
    """What a file says, and whether it can be relied on."""

    parsable: bool
    """False: no line is a record of a robots.txt, so that nobody knows what the owner said."""
    truncated: bool
    """True: it is longer than the part that was read."""
    verdicts: tuple[Verdict, ...]
    """One for each URL, in order."""


def file_verdicts(body: bytes, agents: Sequence[str], urls: Sequence[str], *, strict: bool = False) -> FileVerdicts:
    """Ask a robots.txt for each URL whether each agent may; `strict` asks the first-match reading too.

    Raises ValueError where the rules of the protective readings cannot be matched (`index.origins.decide`).
    """
    robots = parse(body)
    reader = StandardReader(robots.groups)
    targets = [target_of(url) for url in urls]
    obeyed = [reader.obeyed([agent]) for agent in agents]
    decisions = decide_all([(rules, target) for target in targets for rules in obeyed])
    sets = rule_sets(robots, agents)
    older = {agent: first_match_sets(robots.text, [agent]) for agent in agents} if strict else {}
    verdicts = []
    for i, (url, target) in enumerate(zip(urls, targets, strict=True)):
        own = dict(zip(agents, decisions[i * len(agents) : (i + 1) * len(agents)], strict=True))
        by_decision: dict[Decision, list[str]] = {}
        for agent, decision in own.items():
            by_decision.setdefault(decision, []).append(agent)
        order = sorted(by_decision, key=lambda one: (one.allowed, one.line is None, one.line or 0))
        spelt = decide(sets, target) if all(decision.allowed for decision in own.values()) else None
        answers = {agent: decide(found, target) for agent, found in older.items()}
        differing = {a: denial for a, denial in answers.items() if (denial is None) != own[a].allowed}
        verdicts.append(Verdict(url, {d: tuple(by_decision[d]) for d in order}, spelt, differing))
    return FileVerdicts(robots.parsable, robots.truncated, tuple(verdicts))
