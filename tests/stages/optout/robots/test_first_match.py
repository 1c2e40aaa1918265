"""The older reading, against robotexclusionrulesparser itself."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from robotexclusionrulesparser import RobotExclusionRulesParser

from lauter.stages.optout.index.origins import Denial, decide
from lauter.stages.optout.robots.first_match import first_match_sets
from lauter.stages.optout.robots.rules import agent_token, parse, rule_sets
from lauter.stages.optout.robots.spelling import read_text
from lauter.stages.optout.snapshot.read import read_snapshot


def ask(text: str, agent: str, path: str) -> Denial | None:
    return decide(first_match_sets(text, [agent]), path)


def theirs(text: str, agent: str, path: str) -> bool:
    parser = RobotExclusionRulesParser()
    parser.parse(text)
    return bool(parser.is_allowed(agent_token(agent), "https://example.org" + path))


def comparable(text: str, path: str) -> bool:
    """Left out: empty Allow lines (mended), the file itself, an empty query (the library drops it), escapes."""
    return (
        not re.search(r"(?im)allow:[ \t]*(?:#.*)?$", re.sub("(?i)disallow", "x", text.replace("\r", "\n")))
        and not path.startswith("/robots.txt")
        and not path.endswith("?")
        and "%" not in path + text
        and path.isascii()
    )


lines = st.sampled_from(
    [
        "User-agent: GPTBot",
        "User-agent: gpt",
        "User-agent: *",
        "Disallow: /",
        "Disallow: /a",
        "Allow: /a",
        "Disallow: /*b",
        "Disallow:",
        "",
        "# x",
        "Allow: /a/b$",
        "Crawl-delay: 1",
        "Disallow: /a # no",
        " disallow: /c",
        "foo",
        "xAllow: /c",
        "Sitemap: x",
    ]
)


@given(st.lists(lines, max_size=14), st.sampled_from(["/", "/a", "/a/b", "/c", "/ab?x"]))
def test_parity_on_made_files(file: list[str], path: str) -> None:
    text = "\n".join(file)
    assert (ask(text, "GPTBot", path) is None) == theirs(text, "GPTBot", path)


def test_parity_on_the_conformance_vectors(data: Path) -> None:
    asked = 0
    for line in (data / "robots" / "conformance_public.jsonl").read_text().splitlines():
        row = json.loads(line)
        body = (
            base64.b64decode(row["robots_b64"])
            if "robots_b64" in row
            else row["robots"].encode("utf-8", "surrogatepass")
        )
        path = re.sub(r"^[a-z]+://[^/?#]*", "", row["full_url"]).partition("#")[0] or "/"
        text = read_text(body).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        if comparable(text, path) and path.startswith("/") and len(text) < 5000:
            asked += 1
            assert (ask(text, row["agent"], path) is None) == theirs(text, row["agent"], path), row["id"]
    assert asked > 900


@pytest.mark.slow
def test_parity_on_real_files(data: Path) -> None:
    asked = 0
    for answer in read_snapshot(str(data / "robots" / "corpus" / "firewall-2026-01.jsonl.gz"), Counter()):
        text = read_text(answer.body or b"").encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        for agent in ("GPTBot", "CCBot", "Applebot-Extended"):
            for path in ("/", "/search", "/2024/05/news.html"):
                if comparable(text, path) and len(text) < 20_000:
                    asked += 1
                    assert (ask(text, agent, path) is None) == theirs(text, agent, path), (answer.origin, agent, path)
    assert asked > 500


def test_patterns_on_which_the_library_hangs() -> None:
    text = "User-agent: *\nDisallow: /" + "a*" * 40 + "b$\n"
    # The library needs more than 8 s for each of these; ours stops by counted steps.
    assert ask(text, "GPTBot", "/" + "a" * 60) is None
    assert ask(text, "GPTBot", "/" + "a" * 60 + "b") == Denial("GPTBot", 2, text.splitlines()[1])


def test_an_empty_allow_says_nothing() -> None:
    assert ask("User-agent: *\nAllow:\nDisallow: /a\n", "GPTBot", "/b") is None
    assert ask("User-agent: *\nAllow:\nDisallow: /a\n", "GPTBot", "/a") is not None


@pytest.mark.parametrize(
    ("text", "strict_only"),
    [
        ("User-agent: *\nDisallow: /\nAllow: /a\n", True),
        ("User-agent: Applebot\nDisallow: /\n", True),
        ("User-agent: *\nAllow: /a\nDisallow: /\n", False),
    ],
)
def test_strict_adds_what_the_older_reader_obeys(text: str, *, strict_only: bool) -> None:
    robots = parse(text.encode())
    assert decide(rule_sets(robots, ["Applebot-Extended"]), "/a") is None
    assert (decide(rule_sets(robots, ["Applebot-Extended"], "strict"), "/a") is not None) == strict_only


def test_strict_keeps_every_denial_of_the_standard() -> None:
    text = "User-agent: GPTBot\nDisallow: /a\n\nUser-agent: GPTBot\nDisallow: /b\n"
    sets = rule_sets(parse(text.encode()), ["GPTBot"], "strict")
    # The library never sees the second group.
    assert theirs(text, "GPTBot", "/b")
    assert decide(sets, "/b") == Denial("GPTBot", 5, "Disallow: /b")
