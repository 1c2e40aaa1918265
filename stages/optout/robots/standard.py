"""RFC 9309 read as it is written: what one crawler obeys, and the rule that decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.pipeline.origin import resolve_dots
from lauter.stages.optout.index.match import (
    NO_DENIAL,
    NOTES,
    OVER_LIMIT,
    STEP_LIMIT,
    first_hit,
    rewrite_targets,
)
from lauter.stages.optout.robots.rules import Group, Rule, deciding_order, groups_by_name

Obeyed = tuple[tuple[Rule, ...], ...]
"""Rules in the order in which they count, one sequence for each reading of the crawler's names; each may deny."""


class Decision(NamedTuple):
    """What a file says of one target."""

    allowed: bool
    rule: str | None
    """The line that decided, without its comment; None where no rule matches, or where that is not known."""
    line: int | None
    """Its number, from 1."""
    known: bool = True
    """False: the rules cannot be matched within `match.STEP_LIMIT` comparisons, and that is no permission."""


class StandardReader:
    """A parsed file, asked for what crawlers obey; the rules of the same groups are one object."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self._groups = groups
        self._naming = groups_by_name(groups)
        self._rules: dict[tuple[int, ...], tuple[Rule, ...]] = {}

    def obeyed(self, names: Sequence[str]) -> Obeyed:
        """What one crawler with these product tokens obeys (RFC 9309 section 2.2.1).

        All groups that name it are read as one; if none does, the `*` groups are. A declared token counts up to `/`
        or white space and in any case. A name that the RFC's `[A-Za-z_-]+` does not hold in full (`AI2Bot`) is looked
        up in full and as the RFC cuts it. Several names are several readings too, but the `*` groups are obeyed only
        if no group has any of them. No odd spelling is read, and no path that begins with neither `/` nor `*`.
        """
        found: dict[tuple[int, ...], None] = {}
        unnamed = True
        for name in names:
            full, cut = self._naming.groups_of(name)
            unnamed = unnamed and not full
            found.update(dict.fromkeys(indices for indices in (full, cut) if indices))
        if unnamed and self._naming.star:
            found[self._naming.star] = None
        return tuple(self._rules_of(indices) for indices in found)

    def _rules_of(self, indices: tuple[int, ...]) -> tuple[Rule, ...]:
        rules = self._rules.get(indices)
        if rules is None:
            lines = [line for i in indices for line in self._groups[i].lines]
            rules = self._rules[indices] = deciding_order(lines, relative=False)
        return rules


def decide_all(questions: Sequence[tuple[Obeyed, str]]) -> list[Decision]:
    """Decide for each (rules obeyed, target); a target is path and query and begins with `/`.

    What any reading denies is denied, of the target as written or with its dot segments resolved, as clients send it.
    Rules that are the same object are laid out once. /robots.txt may always be read (RFC 9309 section 2.2.2).
    """
    column: dict[int, int] = {}
    readings: list[tuple[Rule, ...]] = []
    rows: list[int] = []
    targets: list[bytes] = []
    asked: list[int] = []
    for number, (obeyed, target) in enumerate(questions):
        if target == "/robots.txt" or target.startswith("/robots.txt?"):
            continue
        forms = {target: None}
        if "/." in target or "\\" in target or "%2" in target:
            forms[resolve_dots(target)] = None
        for rules in obeyed:
            if rules and id(rules) not in column:
                column[id(rules)] = len(readings)
                readings.append(rules)
            if rules:
                for form in forms:
                    rows.append(column[id(rules)])
                    targets.append(form.encode("utf-8", "surrogatepass"))
                    asked.append(number)
    decisions = [Decision(allowed=True, rule=None, line=None)] * len(questions)
    for number, row, hit in zip(asked, rows, _hits(readings, rows, targets), strict=True):
        if hit == NO_DENIAL:
            continue
        before = decisions[number]
        if hit == OVER_LIMIT:
            now = Decision(allowed=False, rule=None, line=None, known=False)
        else:
            rule = readings[row][hit]
            now = Decision(rule.allow, rule.text, rule.line)
        if before.allowed and (not now.allowed or before.line is None):
            decisions[number] = now
    return decisions


def _hits(readings: list[tuple[Rule, ...]], rows: list[int], targets: list[bytes]) -> list[int]:
    """The first rule of readings[row] that matches each target, NO_DENIAL (none does) or OVER_LIMIT."""
    flat = [rule for rules in readings for rule in rules]
    ends = np.cumsum([0, *map(len, targets)], dtype=np.int64)
    text = np.empty(3 * int(ends[-1]), np.uint8)
    text_ends = np.empty(len(ends), np.int64)
    rewrite_targets(np.frombuffer(b"".join(targets), np.uint8), ends, 0, text, text_ends)
    out = np.empty(len(rows), np.int64)
    _first_hits(
        np.array(rows, np.int64),
        np.cumsum([0, *map(len, readings)], dtype=np.int64),
        np.cumsum([0, *(len(rule.path) for rule in flat)], dtype=np.int64),
        np.frombuffer(b"".join(rule.path for rule in flat), np.uint8),
        np.array([rule.anchored for rule in flat], np.uint8),
        text,
        text_ends,
        out,
    )
    found: list[int] = out.tolist()
    return found


@kernel
def _first_hits(
    rows: NDArray[np.int64],
    rules: NDArray[np.int64],
    paths: NDArray[np.int64],
    path_data: NDArray[np.uint8],
    anchored: NDArray[np.uint8],
    text: NDArray[np.uint8],
    ends: NDArray[np.int64],
    out: NDArray[np.int64],
) -> None:
    """out[i]: which of rules[rows[i]]:rules[rows[i] + 1] is the first that matches text[ends[i]:ends[i + 1]]."""
    notes = np.empty(NOTES, np.int64)
    for i in range(len(rows)):
        first = rules[rows[i]]
        hit, _ = first_hit(
            first, rules[rows[i] + 1], paths, path_data, anchored, text, ends[i], ends[i + 1], STEP_LIMIT, notes
        )
        out[i] = hit - first if hit >= 0 else hit
