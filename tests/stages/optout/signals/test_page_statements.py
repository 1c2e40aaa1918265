"""The meaning of raw statements of pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.optout.policy import SIGNALS
from lauter.stages.optout.signals.page_statements import page_statements, tdm_of_page

AGENTS = ("*", "GPTBot", "CCBot/2.0", "Kangaroo Bot", "360Spider")


def said(place: str, name: str, value: str) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(one.signal, one.says, one.agents) for one in page_statements(place, name, value, AGENTS)]


@pytest.mark.parametrize(
    ("name", "value", "signals"),
    [
        ("robots", "noai, noimageai", [("noai", ()), ("noimageai", ())]),
        ("robots", "NOAI noindex;nofollow", [("noai", ()), ("noindex", ())]),
        ("robots", "index, noarchive, noimageindex", []),
        ("robots", "none", [("noindex", ())]),
        ("robots", "none, noindex", [("noindex", ())]),
        ("GPTBot", "noindex", [("agent-noindex", ("gptbot",))]),
        ("gptbot", "noai", [("noai", ("gptbot",))]),
        ("ccbot", "none", [("agent-noindex", ("ccbot",))]),
        ("gpt", "noindex", []),
        ("googlebot", "noindex, noai", []),
    ],
)
def test_meta(name: str, value: str, signals: list[tuple[str, tuple[str, ...]]]) -> None:
    assert said("meta", name, value) == [(signal, "deny", agents) for signal, agents in signals]


@pytest.mark.parametrize(
    ("value", "signals"),
    [
        ("noai", [("noai", ())]),
        ("noindex, nofollow", [("noindex", ())]),
        ("GPTBot: noindex, nofollow", [("agent-noindex", ("gptbot",))]),
        ("otherbot: noindex, noai, gptbot: none", [("agent-noindex", ("gptbot",))]),
        ("gptbot : nofollow, noindex", [("agent-noindex", ("gptbot",))]),
        ("Kangaroo Bot: noindex", [("agent-noindex", ("kangaroo bot",))]),
        ("noai gptbot: noindex", [("noai", ()), ("agent-noindex", ("gptbot",))]),
        ("*: noindex", [("noindex", ())]),
        ("unavailable_after: Wed, 03 Dec 2025 13:09:53 GMT, noai", [("noai", ())]),
        ("unavailable_after: 25 Jun 2010 15:00:00 PST, noindex", [("noindex", ())]),
        ("gptbot: unavailable_after: Wednesday, 03-Dec-25 13:09:53 GMT, noindex", [("agent-noindex", ("gptbot",))]),
        ("unavailable_after: Jun 25, 2010 15:00:00 PST, noindex", [("noindex", ())]),
        ("unavailable_after: 2025-12-03T13:09:53Z, 360spider: noindex", [("agent-noindex", ("360spider",))]),
        ("max-snippet: -1, noai", [("noai", ())]),
        ("max-snippet: -1 noai, max-image-preview:large", [("noai", ())]),
        ("noindex: gptbot", []),
        ("", []),
    ],
)
def test_x_robots_tag(value: str, signals: list[tuple[str, tuple[str, ...]]]) -> None:
    expected = [(signal, "deny", agents) for signal, agents in signals]
    assert said("header", "x-robots-tag", value) == expected
    assert said("meta", "x-robots-tag", value) == expected


@pytest.mark.parametrize(
    ("place", "name", "value", "expected"),
    [
        ("meta", "tdm-reservation", "1", [("tdmrep", "deny", ())]),
        ("header", "tdm-reservation", "0", [("tdmrep", "allow", ())]),
        ("header", "tdm-reservation", "0, 1", [("tdmrep", "deny", ())]),
        ("header", "tdm-reservation", "yes", []),
        ("header", "tdm-policy", "https://a.example/p", [("tdmrep", "note", ())]),
        ("header", "content-usage", "train-ai=n", [("content-usage", "deny", ())]),
        ("header", "content-usage", "genai=n", [("content-usage-draft", "deny", ())]),
        ("header", "content-signal", "ai-train=no", [("content-signal", "deny", ())]),
        ("header", "content-signal", "search=no", []),
        ("link", "license", "/l", [("licence", "note", ())]),
        ("link", "license", '</l.xml>; type="application/RSL+xml"', [("rsl-unread", "note", ())]),
        ("header", "license", '</l.xml>; rel=license; type=application/rsl+xml', [("rsl-unread", "note", ())]),
        ("header", "license", "</l>; rel=license", [("licence", "note", ())]),
        ("meta", "dcterms.rights", "© me", [("licence", "note", ())]),
        ("json-ld", "license", "https://cc.example", [("licence", "note", ())]),
    ],
)  # fmt: skip
def test_other(place: str, name: str, value: str, expected: list[tuple[str, str, tuple[str, ...]]]) -> None:
    assert said(place, name, value) == expected


def test_meta_overrides_header_overrides_file() -> None:
    header, meta = ("header", "tdm-reservation", "1"), ("meta", "tdm-reservation", "0")
    assert tdm_of_page([header]) == "deny"
    assert tdm_of_page([header, meta]) == "allow"
    assert tdm_of_page([header, meta, ("meta", "tdm-reservation", "1")]) == "deny"
    assert tdm_of_page([header, ("meta", "tdm-reservation", "?")]) == "deny"
    assert tdm_of_page([("meta", "tdm-policy", "x"), ("meta", "robots", "1")]) is None


WORDS = st.sampled_from(
    ["noai", "gptbot", ":", ",", " ", "unavailable_after", "03 dec", "none", "max-snippet", "<", ">;", '"', "=n"]
)


@given(
    st.sampled_from(["header", "meta", "link", "anchor", "json-ld"]),
    st.sampled_from(
        ["robots", "x-robots-tag", "tdm-reservation", "license", "content-usage", "gptbot", "dc.rights", ""]
    ),
    st.lists(WORDS, max_size=15).map("".join) | st.text(),
)
def test_no_row_raises(place: str, name: str, value: str) -> None:
    for one in page_statements(place, name, value, AGENTS):
        assert one.signal in SIGNALS
        assert one.path == "/"
        one.text.encode()


@pytest.mark.parametrize("piece", ["noai ", "a:", "a ", "unavailable_after:", "<a>;", '"\\'])
def test_hostile_values_end(piece: str) -> None:
    value = (piece * 1_000)[:1_000]
    for name in ("x-robots-tag", "license", "robots", "content-usage"):
        page_statements("header", name, value, AGENTS)
