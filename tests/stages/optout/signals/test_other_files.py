"""tdmrep.json, ai.txt and RSL documents: what they say, and that no bytes break their readers."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.optout.index.origins import decide
from lauter.stages.optout.policy import SIGNALS
from lauter.stages.optout.signals.files import FileKind, file_statements
from lauter.stages.optout.signals.sets import signal_sets

AGENTS = ("*", "GPTBot", "CCBot")


def denies(kind: FileKind, body: str | bytes, path: str) -> bool:
    found = file_statements(kind, body.encode() if isinstance(body, str) else body)
    assert found.parsable
    return decide(signal_sets(found.statements, AGENTS, SIGNALS), path) is not None


TDM = """[
  {"location": "/free/*.html$", "tdm-reservation": 0},
  {"location": "/free/", "tdm-reservation": "1", "tdm-policy": "https://a.example/p"},
  {"location": "/", "tdm-reservation": 0},
  {"location": "/late/", "tdm-reservation": 1}
]"""


def test_first_location_that_matches_counts() -> None:
    assert [denies("tdmrep.json", TDM, path) for path in ("/free/a.html", "/free/a.pdf", "/x", "/late/x")] == [
        False,
        True,
        False,
        False,
    ]
    lines = [(one.line, one.says) for one in file_statements("tdmrep.json", TDM.encode()).statements]
    assert lines == [(2, "allow"), (3, "deny"), (4, "allow"), (5, "deny")]


@pytest.mark.parametrize(
    "body",
    [
        '{"location": "/", "tdm-reservation": 1}',
        '\ufeff[{"location": "/", "tdm-reservation": 1},]',
        '[{"location": "https://a.example/", "tdm-reservation": true}]',
        '[{"tdm-reservation": 1.0}, {"location": "/a", ',
        '[{"location": "", "tdm-reservation": " 1 "}]',
        '[7, null, {"location": 3, "tdm-reservation": 1}]',
    ],
)
def test_loose_files_reserve(body: str) -> None:
    assert denies("tdmrep.json", body, "/a")
    assert denies("tdmrep.json", ("\ufeff" + body.lstrip("\ufeff")).encode("utf-16-be"), "/a")


def test_unknown_values_say_nothing() -> None:
    for value in (2, None, "yes", [1], {"a": 1}, -1):
        body = json.dumps([{"location": "/", "tdm-reservation": value}]).encode()
        assert file_statements("tdmrep.json", body) == (True, ())


@pytest.mark.parametrize("body", ["tdm", "[" * 100_000, "[{", '{"a":' * 50_000, "[1", "\0\1"])
def test_no_tdmrep(body: str) -> None:
    found = file_statements("tdmrep.json", body.encode())
    assert found.statements == ()
    assert found.parsable == (body == "[1")


@pytest.mark.parametrize("body", ["<html>", "\ufeff\n<!DOCTYPE html><p>404", "<?xml version='1.0'?><Error/>"])
def test_a_page_in_the_place_of_a_file_is_no_such_file(body: str) -> None:
    assert file_statements("tdmrep.json", body.encode()) == (True, ())
    assert file_statements("ai.txt", body.encode()) == (True, ())
    # Here there is a file: nearly every site has the one, and somebody points to the other.
    assert not file_statements("robots.txt", body.encode()).parsable
    assert not file_statements("rsl", body.encode()).parsable


def test_markup_hides_no_record() -> None:
    (one,) = file_statements("ai.txt", b"<!-- made by hand -->\nUser-agent: *\nDisallow: /\n").statements
    assert (one.says, one.path, one.line) == ("deny", "/", 3)


@pytest.mark.parametrize(
    ("rules", "denied"),
    [
        ("Disallow: *.txt", ["/", "/a.html", "/a"]),
        ("Disallow: /*.html$", ["/", "/a.html", "/a"]),
        ("Disallow: *", ["/", "/a.html", "/a"]),
        ("Disallow: /\nAllow: /a", ["/"]),
        ("Allow: /\nDisallow: *.txt", ["/", "/a.html", "/a"]),
        ("Disallow: *.jpg\nDisallow: /b/\nAllow: *.txt", []),
        ("Disallow: *.jpg\nDisallow: /a.h", ["/a.html"]),
    ],
)
def test_ai_txt(rules: str, denied: list[str]) -> None:
    body = f"# Spawning AI\nUser-Agent: *\n{rules}\n"
    assert [path for path in ("/", "/a.html", "/a") if denies("ai.txt", body, path)] == denied


def test_ai_txt_of_an_agent() -> None:
    body = b"User-Agent: LAION\nDisallow: /\n\nUser-Agent: GPTBot, CCBot\nDisallow: /c\n"
    sets = signal_sets(file_statements("ai.txt", body).statements, AGENTS, SIGNALS)
    assert [(one.agent, one.agents, one.rules[0].path) for one in sets] == [("GPTBot", ("GPTBot", "CCBot"), b"/c")]
    assert file_statements("ai.txt", b"You may not mine this site.") == (False, ())


def rsl(licences: str, url: str = "/", attributes: str = "") -> str:
    return (
        f'<?xml version="1.0"?>\n<rsl xmlns="https://rslstandard.org/rsl">\n<content url="{url}"{attributes}>'
        f"{licences}</content></rsl>"
    )


FREE = '<license><permits type="usage">train-ai search</permits></license>'
PAID = '<license><permits type="usage">all</permits><payment type="subscription"/></license>'
SEARCH = '<license><permits type="usage">search</permits></license>'
NEVER = '<license><prohibits type="usage">ai-all</prohibits></license>'
ABROAD = '<license><permits type="geo">CH</permits><prohibits type="user">all</prohibits></license>'


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (rsl(FREE), ["allow"]),
        (rsl(FREE + PAID), ["allow"]),
        (rsl(PAID), ["note"]),
        (rsl(FREE, attributes=' server="https://b.example"'), ["note"]),
        (rsl(SEARCH), ["deny"]),
        (rsl(SEARCH + FREE), ["allow"]),
        (rsl(FREE + NEVER), ["deny"]),
        (rsl(NEVER.replace("ai-all", "search, train-ai")), ["deny"]),
        (rsl(NEVER.replace("ai-all", "search")), []),
        (rsl(ABROAD), []),
        (re.sub(r"<(/?)(?=\w)", r"<\1r:", rsl(NEVER)).replace("xmlns=", "xmlns:r="), ["deny"]),
        ("\n " + rsl(NEVER).replace(' xmlns="https://rslstandard.org/rsl"', ""), ["deny"]),
    ],
)
def test_rsl(document: str, says: list[str]) -> None:
    found = file_statements("rsl", document.encode())
    assert found.parsable
    assert [one.says for one in found.statements] == says


def test_rsl_paths_lines_and_words() -> None:
    document = rsl(SEARCH, "https://a.example/news/*").replace("</rsl>", f'\n<content url="/a$">{FREE}</content></rsl>')
    first, second = file_statements("rsl", document.encode()).statements
    assert first[1:5] == ("deny", "/news/*", (), 3)
    assert first.text == f'<content url="https://a.example/news/*">{SEARCH}'
    assert second[1:5] == ("allow", "/a$", (), 4)


BOMB = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>' + rsl("&b;").partition("\n")[2]


@pytest.mark.parametrize(
    "document",
    [
        BOMB.encode(),
        BOMB.encode("utf-16"),
        rsl(FREE)[:-3].encode(),
        b"<html></html>",
        b"\xff\xfe<",
        b"<?xml encoding='x'?>",
    ],
)
def test_no_rsl(document: bytes) -> None:
    assert file_statements("rsl", document) == (False, ())


KINDS: tuple[FileKind, ...] = ("robots.txt", "tdmrep.json", "ai.txt", "rsl")
PIECES = st.sampled_from(
    [
        *(b"User-agent: *\n", b"Content-Usage: ", b"train-ai=n", b"Content-Signal: /% ai-train=no\r", b"License: x\n"),
        *(b"# text and data mining\n", b"\xa7 44b UrhG", b"Disallow: *.txt\n", b"\xff\xfe", b"\0"),
        *(b'[{"tdm-reservation": 1', b'"location": "/%2F*$"', b"}]"),
        *(b"<rsl>", b'<content url="/*%">', b"<license><prohibits>all</prohibits>", b"</content></rsl>"),
    ]
)


@given(st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=12).map(b"".join)))
def test_no_bytes_raise(body: bytes) -> None:
    for kind in KINDS:
        found = file_statements(kind, body)
        sets = signal_sets(found.statements, AGENTS, SIGNALS)
        assert all(any(not rule.allow for rule in one.rules) for one in sets)
        assert all(one.text.encode() is not None and len(one.text) <= 500 for one in found.statements)
        decide(sets, "/a/b.html?c")


@pytest.mark.parametrize("kind", KINDS)
def test_empty_file_says_nothing(kind: FileKind) -> None:
    assert file_statements(kind, b" \n") == (True, ())


HOSTILE: list[tuple[FileKind, bytes]] = [
    ("robots.txt", b"# " + b"data mining " * 40_000),
    ("robots.txt", b"# " + b"eksploracj" * 50_000),
    ("robots.txt", b"# reserve\n" * 50_000),
    ("robots.txt", b"Content-Signal: a" + b" " * 500_000 + b"b"),
    ("robots.txt", b"Content-Usage: a=(" + b"b " * 250_000),
    ("robots.txt", b"Content-Usage: " + b"a," * 250_000),
    ("robots.txt", b"User-agent: a%\n" * 16_000 + b"Content-Signal: ai-train=no\n" * 9_000),
    ("robots.txt", b"User-agent: a\nContent-Usage: /* train-ai=n\n" * 11_000),
    ("ai.txt", b"User-agent: a\n" * 18_000 + b"Disallow: /a\n" * 19_000),
    ("tdmrep.json", b"[" + b"0," * 250_000),
    ("tdmrep.json", b'[{"tdm-reservation":1},' * 20_000),
    ("rsl", b"<rsl>" + b"<content>" * 50_000),
    ("rsl", b"<rsl>" + b"<content><license><prohibits>all</prohibits></license></content>" * 10_000 + b"</rsl>"),
]


@pytest.mark.parametrize("index", range(len(HOSTILE)))
def test_hostile_files_end(index: int) -> None:
    # Each takes well under a second; with time that grows with the square it would take minutes.
    kind, body = HOSTILE[index]
    signal_sets(file_statements(kind, body).statements, (*AGENTS, *map(str, range(60))), SIGNALS)
