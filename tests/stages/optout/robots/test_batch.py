"""Rows of other people's suites: what they may be, what comes back, and that nothing in them stops a batch."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.optout.robots.batch import answer_rows

DENY = "User-agent: GPTBot # us\nDisallow: /a # not this\nAllow: /a/b\n"


def answers(*rows: object) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer_rows(json.dumps(row) for row in rows)]


def test_a_row_comes_back_with_the_rule_that_decided() -> None:
    row = {"id": 7, "robots": DENY, "agent": "GPTBot/1.0", "url": "https://a.example/a/c?x#y", "allowed": "expected"}
    assert answers(row) == [row | {"allowed": False, "rule": "Disallow: /a", "line": 2}]
    assert answers(row | {"url": "/a/b"}) == [row | {"url": "/a/b", "allowed": True, "rule": "Allow: /a/b", "line": 3}]
    assert answers(row | {"url": "/z"}) == [row | {"url": "/z", "allowed": True, "rule": None, "line": None}]


def test_bytes_and_full_urls() -> None:
    row = {"robots_b64": base64.b64encode(b"User-agent: *\nDisallow: /caf\xe9").decode(), "agent": "x", "url": ""}
    assert answers(row | {"full_url": "https://a.example/caf%E9"})[0]["allowed"] is False
    assert answers(row | {"url": "/x", "full_url": "https://a.example/caf%E9"})[0]["allowed"] is False
    assert answers(row | {"url": "http://a.example/x", "full_url": "https://a.example/caf%E9"})[0]["allowed"] is True


@pytest.mark.parametrize(
    ("robots", "allowed"),
    [
        # One group names the crawler by one of its names: the * group is not for it.
        ("User-agent: One\nAllow: /\nUser-agent: *\nDisallow: /\n", True),
        ("User-agent: Three\nAllow: /\nUser-agent: *\nDisallow: /\n", False),
        # A group for each name: what either denies is denied.
        ("User-agent: One\nAllow: /\nUser-agent: Two\nDisallow: /\n", False),
    ],
)
def test_several_names_of_one_crawler(robots: str, *, allowed: bool) -> None:
    assert answers({"robots": robots, "agent": ["One", "Two"], "url": "/x"})[0]["allowed"] is allowed


@pytest.mark.parametrize("name", ["AI2Bot", "img2dataset", "CCBot/2.0", "Kangaroo Bot", "GPTBot"])
def test_names_that_the_grammar_cuts_are_matched(name: str) -> None:
    for agent in (name, name.upper()):
        row = {"robots": f"User-agent: {name}\nDisallow: /\n", "agent": agent, "url": "/x"}
        assert answers(row)[0]["allowed"] is False


def test_what_is_unusual_about_a_file_is_said() -> None:
    page = {"robots": "<!DOCTYPE html><p>Not found</p>", "agent": "x", "url": "/"}
    assert answers(page) == [page | {"allowed": True, "rule": None, "line": None, "parsable": False}]
    long = {"robots": "#\n" * 300_000, "agent": "x", "url": "/"}
    assert answers(long)[0]["truncated"] is True


def test_odd_spellings_are_no_part_of_the_standard() -> None:
    for robots in ("User_agent: *\nDisallow: /", "Disallow: /", "User-agent: *\nDisallow: x"):
        assert answers({"robots": robots, "agent": "x", "url": "/x"})[0]["allowed"] is True


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("nonsense", "line 1: not JSON"),
        ("[" * 100_000, "line 1: not JSON"),
        ("[]", "line 1: not an object"),
        ("{}", "line 1: no robots or robots_b64 with the file"),
        ('{"robots_b64": "%", "agent": "x", "url": "/"}', "line 1: robots_b64 is no base64"),
        ('{"robots": "", "agent": [], "url": "/"}', "line 1: agent is no name and no list of names"),
        ('{"robots": "", "agent": ["x", 1], "url": "/"}', "line 1: agent is no name and no list of names"),
        ('{"robots": "", "agent": "x", "url": 3}', "line 1: no url"),
        ('{"robots": "", "robots_b64": "", "agent": "x", "url": "/"}', "line 1: both robots and robots_b64: give one"),
        ('{"robots": 7, "agent": "x", "url": "/"}', "line 1: robots is no text, but 7"),
        (
            '{"robots": "", "agent": "x", "url": "nonsense"}',
            "line 1: url 'nonsense' is neither a full URL nor a path that starts with /",
        ),
    ],
)
def test_a_bad_row_is_a_row_with_its_error(line: str, error: str) -> None:
    good = json.dumps({"robots": DENY, "agent": "GPTBot", "url": "/a"})
    bad, after = (json.loads(one) for one in answer_rows([line, "\n", good]))
    assert (bad["error"], bad["allowed"], bad["rule"], bad["line"]) == (error, False, None, None)
    assert after["rule"] == "Disallow: /a"


def test_rules_beyond_the_limit_are_no_permission() -> None:
    robots = "User-agent: *\n" + "".join(f"Disallow: /*{i}*aabaa\n" for i in range(9_000))
    url = "/" + "".join(map(str, range(9_999))) + "ab" * 8_000 + "aabb"
    answer = answers({"robots": robots, "agent": "x", "url": url})[0]
    assert answer["allowed"] is False
    assert "limit" in answer["error"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20), lambda inner: st.lists(inner, max_size=3)
)


@given(st.dictionaries(st.sampled_from(["robots", "robots_b64", "agent", "url", "full_url", "x"]), json_values))
def test_any_row_is_answered(row: dict[str, object]) -> None:
    (answer,) = answers(row)
    assert answer["allowed"] in (True, False)
    assert answer["allowed"] is False or "error" not in answer


def test_more_rows_than_are_decided_at_once() -> None:
    rows = [{"robots": DENY, "agent": "GPTBot", "url": f"/{'ab'[i % 2]}/{i}", "i": i} for i in range(9_000)]
    found = answers(*rows)
    assert [one["i"] for one in found] == list(range(9_000))
    assert [one["allowed"] for one in found] == [bool(i % 2) for i in range(9_000)]
