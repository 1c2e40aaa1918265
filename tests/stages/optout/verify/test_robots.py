"""The audit's reader: RFC 9309 by hand-made cases, and never a denial that the stage's own reading lacks."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.optout.agents import load_preset
from lauter.stages.optout.index.origins import RuleTable, rules_array
from lauter.stages.optout.robots.rules import parse, rule_sets
from lauter.stages.optout.snapshot.read import read_snapshot
from lauter.stages.optout.verify.robots import RobotsFile, matches, normal_form, target_form

AGENTS = load_preset("ai-training-2026-11").names


def denied(body: str, target: str, agents: tuple[str, ...] = ("GPTBot", "CCBot/2.0"), star: str = "agent") -> bool:
    return RobotsFile(body.encode(), agents, star).denies(target_form(target)) is not None


def test_groups_are_chosen_by_exact_names() -> None:
    body = "User-agent: gptbot/1.1\nDisallow: /a\n\nUser-agent: *\nDisallow: /b\n\nUser-agent: GPTBot\nDisallow: /c\n"
    assert [denied(body, path, ("GPTBot",)) for path in ("/a", "/b", "/c")] == [True, False, True]
    assert not denied("User-agent: bot\nDisallow: /\n", "/x", ("GPTBot",))
    assert denied("User-agent: CCBot\nDisallow: /\n", "/x")


def test_what_a_star_group_means() -> None:
    body = "User-agent: *\nDisallow: /\n\nUser-agent: GPTBot\nAllow: /\n"
    assert denied(body, "/", ("GPTBot", "*"), "agent")
    assert not denied(body, "/", ("GPTBot", "*"), "fallback")
    assert denied(body, "/", ("GPTBot", "CCBot", "*"), "fallback")
    assert not denied(body, "/", ("CCBot", "*"), "ignore")


def test_the_longest_match_counts_and_allow_on_a_tie() -> None:
    body = "User-agent: *\nDisallow: /a\nAllow: /a/b\nAllow: /c\nDisallow: /c\nDisallow: /*.php$\n"
    paths = {"/a": True, "/a/b": False, "/c": False, "/x.php": True, "/x.php?y": False, "/robots.txt": False}
    for path, expected in paths.items():
        assert denied(body, path, ("*",)) is expected, path


def test_the_evidence_is_the_line() -> None:
    found = RobotsFile(b"# hello\nUser-agent: GPTBot\nDisallow: /private # why\n", ["GPTBot"], "agent").denies(
        b"/private"
    )
    assert found is not None
    assert (found.agent, found.line, found.text) == ("GPTBot", 3, "Disallow: /private")


@pytest.mark.parametrize(
    ("one", "other"),
    [("/%61", "/a"), ("/a%2fb", "/a%2Fb"), ("/ü", "/%C3%BC"), ("/a?b%2Fc", "/a?b/c"), ("/%3d", "/=")],
)
def test_escapes_are_one_form(one: str, other: str) -> None:
    assert normal_form(one.encode(), pattern=False) == normal_form(other.encode(), pattern=False)
    assert normal_form(b"/a%2Fb", pattern=False) != normal_form(b"/a/b", pattern=False)


PIECE = st.sampled_from(["a", "b", "/", "ab"])


@given(st.lists(st.one_of(PIECE, st.just("*")), max_size=8), st.lists(PIECE, max_size=10), st.sampled_from(["$", ""]))
def test_matching_is_that_of_a_regular_expression(pattern: list[str], target: list[str], anchor: str) -> None:
    text = "/" + "".join(pattern) + anchor
    expression = "".join(".*" if c == "*" else re.escape(c) for c in "/" + "".join(pattern)) + anchor
    path = "/" + "".join(target)
    assert matches(text.encode(), path.encode()) is bool(re.match(expression, path))


def urls(body: bytes, count: int, rng: random.Random) -> list[str]:
    """Targets made of the paths that a file names, and some others."""
    paths = [line.value for group in parse(body).groups for line in group.lines]
    made = ["/", "/news/2024/05/x.html", "/search?q=robots&page=2"]
    for path in rng.sample(paths, min(len(paths), count)):
        plain = path.replace("*", rng.choice(["", "x", "/a/b"])).rstrip("$")
        made.append(plain if plain.startswith("/") else "/" + plain)
        made.append(made[-1] + rng.choice(["", "x", "/y.html", "?z=1"]))
    return made[: count + 3]


@pytest.mark.parametrize("star", ["agent"])
def test_it_denies_nothing_that_the_stage_permits(data: Path, star: str) -> None:
    rng = random.Random(7)
    bodies: dict[bytes, None] = {}
    for name in ("firewall-2026-01.jsonl.gz", "top1k-2024-07-14.jsonl.gz"):
        for answer in read_snapshot(str(data / "robots" / "corpus" / name), Counter()):
            if answer.body:
                bodies.setdefault(answer.body)
    files = [(body, parse(body)) for body in bodies]
    files = [(body, robots) for body, robots in files if robots.parsable]
    table = RuleTable.of(rules_array([rule_sets(robots, AGENTS) for _, robots in files]))
    rows, targets, found = [], [], []
    for row, (body, _) in enumerate(files):
        file = RobotsFile(body, AGENTS, star)
        for target in urls(body, 20, rng):
            rows.append(row)
            targets.append(target)
            found.append(file.denies(target_form(target)))
    ours = table.denials(np.array(rows, np.int64), targets)
    differ = [
        (files[row][0][:80], target, item)
        for row, target, item, rule in zip(rows, targets, found, ours.tolist(), strict=True)
        if item is not None and rule == -1
    ]
    assert not differ, differ[:5]
    assert sum(item is not None for item in found) > 1_000
