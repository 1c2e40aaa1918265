"""Content-Usage and Content-Signal: dictionaries, paths, groups."""

from __future__ import annotations

import pytest

from lauter.stages.optout.index.origins import decide
from lauter.stages.optout.signals.content_signal import signal_says
from lauter.stages.optout.signals.files import file_statements
from lauter.stages.optout.signals.lines import records, split_path
from lauter.stages.optout.signals.sets import signal_sets
from lauter.stages.optout.signals.statement import Statement
from lauter.stages.optout.signals.usage import preferences, usage_says

AGENTS = ("*", "GPTBot", "CCBot", "AI2Bot")


@pytest.mark.parametrize(
    ("value", "known"),
    [
        ("train-ai=n", {"train-ai": False}),
        ("train-ai=y, search=n", {"train-ai": True, "search": False}),
        ('train-ai=n;reason="a, b";x, search=y', {"train-ai": False, "search": True}),
        ("train-ai=y,\ttrain-ai=n", {"train-ai": False}),
        ("train-ai=n, train-ai=maybe", {}),
        ("train-ai", {}),
        ("train-ai=?0", {}),
        ('train-ai="n"', {}),
        ("train-ai=N", {}),
        ("train-ai=(n)", {}),
        ('a=(1 2.5 "x";q=1);p, b=:aGk=:, c=@17, d=%"a%c3%a4", train-ai=n', {"train-ai": False}),
        ("Train-AI=n", {}),
        ("train-ai=n, Search=y", {}),
        ("train-ai=n,", {}),
        ("train-ai = n", {}),
        ("train-ai=n search=y", {}),
        ("", {}),
    ],
)
def test_dictionary(value: str, known: dict[str, bool]) -> None:
    assert preferences(value) == known


def test_keys_of_earlier_drafts_are_a_signal_of_their_own() -> None:
    assert usage_says("ai=n, train-ai=y") == {"content-usage": "allow", "content-usage-draft": "deny"}
    assert usage_says("ai=y, genai=n") == {"content-usage-draft": "deny"}
    assert usage_says("bots=n") == {}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("search=yes,ai-train=no", "deny"),
        ("Search=yes , AI-Train = NO", "deny"),
        ("ai-train=yes", "allow"),
        ("ai-train=yes, ai-train=no", "deny"),
        ("search=no", None),
        ("ai-train=nope", None),
        ("no-ai-train=no", None),
    ],
)
def test_content_signal(value: str, says: str | None) -> None:
    assert signal_says(value) == says


def test_path_ends_at_white_space() -> None:
    assert split_path("/a?b=c\ttrain-ai=n") == ("/a?b=c", "train-ai=n")
    assert split_path("/a") == ("/a", "")


ROBOTS = b"""Content-Signal: ai-train=no
User-agent: GPTBot
User-agent: ccbot/2.0
Content-Usage: /blog/ train-ai=n # ours
Sitemap: https://a.example/s.xml
Content-Usage: /blog/free/ train-ai=y
User-agent: *
Disallow:
content_usage: train-ai=y
"""


def test_lines_belong_to_their_group() -> None:
    found = file_statements("robots.txt", ROBOTS)
    assert found.parsable
    assert [(s.signal, s.says, s.path, s.agents, s.line, s.text) for s in found.statements] == [
        ("content-signal", "deny", "/", (), 1, "Content-Signal: ai-train=no"),
        ("content-usage", "deny", "/blog/", ("gptbot", "ccbot/2.0"), 4, "Content-Usage: /blog/ train-ai=n"),
        ("content-usage", "allow", "/blog/free/", ("gptbot", "ccbot/2.0"), 6, "Content-Usage: /blog/free/ train-ai=y"),
        ("content-usage", "allow", "/", ("*",), 9, "content_usage: train-ai=y"),
    ]


def test_sets_are_by_kind_and_by_whom_they_speak_to() -> None:
    statements = file_statements("robots.txt", ROBOTS).statements
    signal, usage = signal_sets(statements, AGENTS, {"content-signal", "content-usage"})
    assert (signal.signal, signal.agent, signal.agents) == ("content-signal", "*", AGENTS)
    assert (usage.signal, usage.agent, usage.agents) == ("content-usage", "GPTBot", ("GPTBot", "CCBot"))
    assert [(rule.allow, rule.path) for rule in usage.rules] == [(True, b"/blog/free/"), (False, b"/blog/")]
    assert decide((usage,), "/blog/free/x") is None
    denial = decide((usage,), "/blog/x")
    assert denial is not None
    assert denial.line == 4
    assert [one.signal for one in signal_sets(statements, AGENTS, {"content-usage"})] == ["content-usage"]
    assert signal_sets(statements, AGENTS, {"tdmrep"}) == ()
    assert signal_sets(statements, ("Bytespider",), {"content-usage"}) == ()


def test_most_restrictive_of_one_path_counts() -> None:
    body = (
        b"User-agent: *\nContent-Usage: /a* train-ai=y\nContent-Usage: /a* train-ai=n\nContent-Usage: /a*$ train-ai=y\n"
    )
    (one,) = signal_sets(file_statements("robots.txt", body).statements, AGENTS, {"content-usage"})
    assert [(rule.allow, rule.path, rule.anchored) for rule in one.rules] == [
        (True, b"/a*", True),
        (False, b"/a*", False),
    ]


@pytest.mark.parametrize(
    ("declared", "spoken_to"),
    [("AI", ("AI2Bot",)), ("GPTBot2", ("GPTBot",)), ("GPT", ()), ("foo, ccbot", ("CCBot",)), ("*", AGENTS)],
)
def test_declared_agents_are_read_as_in_rules(declared: str, spoken_to: tuple[str, ...]) -> None:
    body = f"User-agent: {declared}\nContent-Signal: ai-train=no\n".encode()
    sets = signal_sets(file_statements("robots.txt", body).statements, AGENTS, {"content-signal"})
    assert tuple(agent for one in sets for agent in one.agents) == spoken_to


def test_licence_line_speaks_to_everyone_and_denies_only_where_it_is_dropped() -> None:
    body = b"User-agent: AhrefsBot\nDisallow: /\n\nLicense: https://a.example/license.xml\n"
    (one,) = file_statements("robots.txt", body).statements
    assert one == Statement("rsl-unread", "note", "/", (), 4, "https://a.example/license.xml")
    assert signal_sets([one], AGENTS, {"rsl"}) == ()
    (found,) = signal_sets([one], AGENTS, {"rsl-unread"})
    assert found.agents == AGENTS
    assert decide((found,), "/any") is not None


def test_fields_without_colon_or_with_a_wide_one() -> None:
    text = "user agent: *\nContent-Signal ai-train=no\nContent-Usage：train-ai=n\nContent-Length: 3\nLicence:\n"
    assert [(one.field, one.value) for one in records(text)] == [
        ("content-signal", "ai-train=no"),
        ("content-usage", "train-ai=n"),
        ("license", ""),
    ]
