"""The older reading of robots.txt (drafts of 1994 and 1996, with the wildcards of 2008): the first match decides."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from robotexclusionrulesparser import RobotExclusionRulesParser

from lauter.stages.optout.index.match import unescape
from lauter.stages.optout.robots.rules import TEXT_LIMIT, Rule, RuleSet, Star, agent_token

_LINE_END = re.compile(r"\r\n|\r|\n")
# What robotexclusionrulesparser takes for a rule: the field may stand anywhere in the line.
_RULE = re.compile(r"(allow|disallow|user-?agent|sitemap|crawl-delay):[ \t]*(.*)", re.IGNORECASE).search
_CONTROL = re.compile(r"[\x00-\x1f]")


def first_match_sets(text: str, agents: Sequence[str], *, star: Star = "agent") -> list[RuleSet]:
    """The rules that robotexclusionrulesparser would ask for each agent, one set a distinct group.

    That library chooses the group: a blank line ends one, the first whose name is a substring of the agent's is
    taken, `*` groups come last, a second group of the same agent is never seen. It is given line numbers in place of
    paths, and the paths are matched by our kernel, so that its regular expressions (seconds on `/*a*a*a…$`) never run.
    One fault is mended: an empty `Allow:` is no rule (the library denies everything). `star` `ignore`: without the
    `*` groups.
    """
    lines = _LINE_END.split(text)
    skeleton: list[str] = []
    for number, raw in enumerate(lines, 1):
        line = raw.strip()
        found = None if line.startswith("#") else _RULE(line.partition("#")[0].strip())
        field = found[1].lower() if found else ""
        if found and field in ("allow", "disallow"):
            empty = not _path(found[2])
            skeleton.append("x" if empty and field == "allow" else f"{field}:{number}")
        else:
            skeleton.append(raw)
    parser = RobotExclusionRulesParser()
    parser.parse("\n".join(skeleton))
    groups = parser._RobotExclusionRulesParser__rulesets
    sets: dict[int, RuleSet] = {}
    obeying: dict[int, list[str]] = {}
    for agent in agents:
        token = agent_token(agent)
        index = next((i for i, group in enumerate(groups) if group.does_user_agent_match(token)), None)
        if index is None:
            continue
        default = groups[index].is_default()
        if default and star == "ignore":
            continue
        obeying.setdefault(index, []).append(agent)
        if index in sets and not (default and agent == "*"):
            continue
        rules = tuple(
            _rule(int(number), lines, allow=kind == groups[index].ALLOW) for kind, number in groups[index].rules
        )
        if any(not rule.allow for rule in rules):
            sets[index] = RuleSet(agent, rules, first_match=True)
    return [sets[index]._replace(agents=tuple(obeying[index])) for index in sorted(sets)]


def _path(value: str) -> str:
    return _CONTROL.sub("", value).strip()


def _rule(number: int, lines: list[str], *, allow: bool) -> Rule:
    line = lines[number - 1].partition("#")[0].strip()
    found = _RULE(line)
    path = _path(found[2]) if found else ""
    data = np.frombuffer(path.encode("utf-8", "surrogateescape"), np.uint8)
    out = np.empty(3 * len(data), np.uint8)
    raw = out[: unescape(data, 0, len(data), out, 0)].tobytes()
    anchored = raw.endswith(b"$")
    clean = line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    # An empty Disallow matches every target and allows it.
    return Rule(allow or not raw, raw[:-1] if anchored else raw, anchored, number, clean[:TEXT_LIMIT])
