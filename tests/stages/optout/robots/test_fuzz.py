"""Random and grammar-made files, agents and URLs: no exception, no permission that a reader of the RFC denies."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lauter.pipeline.origin import target_of
from lauter.stages.optout.index.origins import decide
from lauter.stages.optout.robots.rules import agent_token, parse, rule_sets
from lauter.stages.optout.robots.standard import StandardReader, decide_all
from tests.stages.optout.robots.peers import Peers
from tests.stages.optout.robots.reference import RFC

AGENTS = ("GPTBot", "AI2Bot", "img2dataset", "CCBot/2.0", "Kangaroo Bot", "Applebot-Extended", "*", "a_b", "")
# Pieces of which paths, names and lines are made: few, so that they meet, and everything that readers treat unlike.
PIECES = (
    *("/", "a", "b", "ab", "*", "$", "?", "%2F", "%2f", "%61", "%C3%A9", "é", "%", "%zz", "%2A", "%24", "~", "%7E"),
    *(".", "..", "/.", "\\", "index.html", "robots.txt", " ", "\t", "#", ":", "&", "=", "\x0c", "\xa0", "\u2028", ";"),
)
paths = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)
fields = st.sampled_from(
    [
        *("User-agent: ", "Disallow: ", "Allow: ", "disallow:", "ALLOW :", " Disallow : ", "Disallow ", "useragent: "),
        *(
            "Sitemap: ",
            "Crawl-delay: ",
            "x: ",
            "dissallow: ",
            "User agent: ",
            "\xa0Disallow: ",
            "User_agent: ",
            ": ",
            "",
        ),
    ]
)
declared = st.sampled_from(
    [
        *AGENTS,
        *(
            "gptbot",
            "GPTBot2",
            "AI",
            "AI21Bot",
            "*bot",
            "bot",
            "CCBot/1.0",
            "applebot",
            "* x",
            "GPTBot, CCBot",
            "kangaroo",
        ),
    ]
)
lines = st.one_of(
    st.tuples(st.sampled_from(["Disallow: ", "Allow: "]), paths).map("".join),
    st.tuples(st.just("User-agent: "), declared).map("".join),
    st.tuples(fields, st.one_of(paths, declared)).map("".join),
    st.sampled_from(["", "# x", "Disallow: /", "Allow: /", "Disallow:"]),
)
grammar = st.tuples(
    st.sampled_from([b"", b"\xef\xbb\xbf", b"\xef\xbb"]),
    st.lists(st.tuples(lines, st.sampled_from(["\n", "\n", "\r\n", "\r", "\n\n"])).map("".join), max_size=12),
).map(lambda made: made[0] + "".join(made[1]).encode())
targets = st.one_of(paths.map(lambda path: "/" + path), st.text(max_size=12).map(lambda text: "/" + text))
UTF16 = re.compile(rb"\0|\A(?:\xff\xfe|\xfe\xff)").search


def allows(body: bytes, agent: str, target: str) -> bool:
    (decision,) = decide_all([(StandardReader(parse(body).groups).obeyed([agent]), target)])
    assert decision.known
    return decision.allowed


def check(body: bytes, agent: str, path: str) -> None:
    url = "https://a.example" + path
    target = target_of(url)
    ours = allows(body, agent, target)
    assert ours == RFC.allows(body, [agent], url)
    # Odd spellings, and the older reading, may only deny more.
    robots = parse(body)
    build = decide(rule_sets(robots, [agent]), target) is None
    strict = decide(rule_sets(robots, [agent], "strict"), target) is None
    assert strict <= build <= ours


def check_peers(body: bytes, agent: str, target: str) -> None:
    # Google reads a name up to the first `/` only where the caller cut it, and Protego finds `*` by an empty name.
    ((google, protego),) = Peers(body).answers(agent_token(agent) or "x", [target])
    assert google or protego or not allows(body, agent_token(agent) or "x", target)


any_body = st.one_of(grammar, grammar, grammar, st.binary(max_size=200).filter(lambda body: not UTF16(body)))
ascii_targets = st.lists(st.sampled_from([p for p in PIECES if p.isascii() and p.isprintable() and p not in "# \\"]))
fuzz = settings(deadline=None, suppress_health_check=list(HealthCheck))


@given(any_body, st.one_of(declared, st.text(max_size=8)), targets)
@example(b"User-agent: *\nDisallow: /\nAllow: /x\xc2\xa0\n", "x", "/x")
@settings(fuzz, max_examples=1_500)
def test_the_standard_and_nothing_more(body: bytes, agent: str, target: str) -> None:
    check(body, agent, target)


@given(grammar, declared, ascii_targets.map(lambda parts: "/" + "".join(parts)))
@settings(fuzz, max_examples=500)
def test_no_permission_that_both_peers_deny(body: bytes, agent: str, target: str) -> None:
    check_peers(body, agent, target)


@pytest.mark.soak
@given(any_body, st.one_of(declared, st.text(max_size=8)), targets)
@settings(fuzz, max_examples=80_000)
def test_the_standard_and_nothing_more_for_long(body: bytes, agent: str, target: str) -> None:
    check(body, agent, target)


@pytest.mark.soak
@given(grammar, declared, ascii_targets.map(lambda parts: "/" + "".join(parts)))
@settings(fuzz, max_examples=20_000)
def test_no_permission_that_both_peers_deny_for_long(body: bytes, agent: str, target: str) -> None:
    check_peers(body, agent, target)
