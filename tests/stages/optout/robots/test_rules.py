"""What a file says to an agent: units, limits, and the public conformance vectors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.pipeline.origin import target_of
from lauter.stages.optout.index.origins import Denial, decide
from lauter.stages.optout.robots.rules import TEXT_LIMIT, agent_token, parse, rule_sets
from lauter.stages.optout.robots.spelling import SIZE_LIMIT


def ask(body: str | bytes, agent: str, path: str, *more: str) -> Denial | None:
    robots = parse(body.encode() if isinstance(body, str) else body)
    return decide(rule_sets(robots, (agent, *more)), path)


NAMED = "User-agent: {}\nDisallow: /\n"


@pytest.mark.parametrize(
    "declared", ["GPTBot", "gptbot", "GPTBot/1.1", "GPTBot 1.1", "GPTBot*", "*GPTBot*", " GPTBot # comment"]
)
def test_group_names_the_agent(declared: str) -> None:
    assert ask(NAMED.format(declared), "GPTBot", "/") == Denial("GPTBot", 2, "Disallow: /")


@pytest.mark.parametrize("declared", ["bot", "GPT", "GPTBot-User", "xGPTBot", "", "GPTBotX"])
def test_group_names_another(declared: str) -> None:
    assert ask(NAMED.format(declared), "GPTBot", "/") is None


def test_prefix_of_a_longer_agent_is_another() -> None:
    assert ask(NAMED.format("Applebot"), "Applebot-Extended", "/") is None


def test_strict_cut_of_names_may_only_deny() -> None:
    assert ask(NAMED.format("AI2Bot"), "AI2Bot", "/") is not None
    assert ask(NAMED.format("AI"), "AI2Bot", "/") is not None
    assert ask(NAMED.format("AI21Bot"), "AI2Bot", "/") is None
    assert ask(NAMED.format("GPTBot2"), "GPTBot", "/") is not None
    allowing = "User-agent: GPTBot2\nAllow: /\nUser-agent: *\nDisallow: /\n"
    assert ask(allowing, "GPTBot", "/") is not None


def test_groups_of_one_agent_are_merged() -> None:
    body = "User-agent: CCBot\nDisallow: /a\n\nUser-agent: *\nDisallow: /\n\nUser-agent: ccbot/2.0\nDisallow: /b\n"
    assert ask(body, "CCBot/1.0", "/a") == Denial("CCBot/1.0", 2, "Disallow: /a")
    assert ask(body, "CCBot", "/b") == Denial("CCBot", 8, "Disallow: /b")
    assert ask(body, "CCBot", "/c") is None
    assert ask(body, "Other", "/c") == Denial("Other", 5, "Disallow: /")


def test_evidence_names_the_group_that_was_met() -> None:
    body = "User-agent: *\nDisallow: /\nUser-agent: GPTBot\nDisallow: /x\n"
    assert ask(body, "CCBot", "/x", "GPTBot", "*") == Denial("GPTBot", 4, "Disallow: /x")
    assert ask(body, "CCBot", "/y", "GPTBot", "*") == Denial("*", 2, "Disallow: /")
    assert ask(body, "CCBot", "/y", "GPTBot") == Denial("CCBot", 2, "Disallow: /")


def test_other_records_do_not_part_a_group() -> None:
    body = (
        "User-agent: a\nCrawl-delay: 3\nSitemap: https://example.org/s.xml\nfoo: bar\nUser-agent: GPTBot\nDisallow: /\n"
    )
    assert ask(body, "a", "/") is not None
    assert ask(body, "GPTBot", "/") is not None


@pytest.mark.parametrize(
    "line",
    [
        "Disallow:/x",
        "disallow : /x",
        "\tDISALLOW: /x # why",
        "Dissallow: /x",
        "Disallow /x",
        "Disallow: x",
        "Disallow: */x",
    ],
)
def test_spellings_of_a_disallow(line: str) -> None:
    assert ask(f"User-agent: *\n{line}\n", "GPTBot", "/x") is not None


@pytest.mark.parametrize(
    "line", ["Disallow:", "Allow: /x", "Disallow", "Noindex: /x", "# Disallow: /x", "Disallow: /X"]
)
def test_not_a_disallow(line: str) -> None:
    assert ask(f"User-agent: *\n{line}\n", "GPTBot", "/x") is None


def test_an_allow_without_a_slash_allows_nothing() -> None:
    assert ask("User-agent: *\nDisallow: /\nAllow: x\n", "GPTBot", "/x") is not None


def test_rules_before_any_agent_are_nobodys() -> None:
    assert ask("Disallow: /\nUser-agent: *\nAllow: /\n", "GPTBot", "/") is None


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xef\xbb", b"\xef"])
@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_byte_order_marks_and_line_ends(mark: bytes, end: bytes) -> None:
    assert ask(mark + end.join([b"User-agent: GPTBot", b"Disallow: /x", b""]), "GPTBot", "/x") == Denial(
        "GPTBot", 2, "Disallow: /x"
    )


def test_longest_path_wins_and_allow_on_a_tie() -> None:
    body = "User-agent: *\nDisallow: /a\nAllow: /a/b\nDisallow: /a/b/*\nAllow: /t\nDisallow: /t\n"
    assert ask(body, "x", "/a/c") is not None
    assert ask(body, "x", "/a/b") is None
    assert ask(body, "x", "/a/b/c") is not None
    assert ask(body, "x", "/t") is None


@pytest.mark.parametrize(
    ("rule", "path", "denied"),
    [
        ("/é", "/%C3%A9", True),
        ("/%c3%a9", "/é", True),
        ("/%7ejoe", "/~joe", True),
        ("/a%3Ab", "/a:b", True),
        ("/a%2Fb", "/a/b", False),
        ("/a/b", "/a%2fb", False),
        ("/a?u=http%3A%2F%2Fx", "/a?u=http://x", True),
        ("/*u=http%3A%2F%2Fx", "/a?u=http://x", True),
        ("/*%2Fb", "/a%2Fb", True),
        ("/*?", "/a%3Fb", True),
        ("/a?b", "/a%3fb", True),
        ("/a%2A", "/a*", True),
        ("/a%2A", "/ab", False),
        ("/a%24", "/a$", True),
        ("/a$", "/ab", False),
        ("/a$b", "/a$b", True),
        ("/caf\udce9", "/caf%E9", True),
        ("/%zz", "/%zz", True),
        ("/robots.txt", "/robots.txt", False),
        ("/", "/robots.txt?x", False),
    ],
)
def test_percent_encoding(rule: str, path: str, *, denied: bool) -> None:
    body = f"User-agent: *\nDisallow: {rule}\n".encode("utf-8", "surrogateescape")
    assert (ask(body, "GPTBot", path) is not None) == denied


@pytest.mark.parametrize(
    ("body", "parsable"),
    [
        (b"", True),
        (b" \r\n", True),
        (b"# nothing is forbidden", True),
        (b"Sitemap: https://example.org/s.xml", True),
        (b"User-agent: *", True),
        (b"Owner: me", True),
        (b"Not found", False),
        (b"500 Server error", False),
        (b"<!DOCTYPE html><html><style>\na { color: red }\n#id: x\n</style>", False),
        (b"<pre>\nUser-agent: *\nDisallow: /\n</pre>", True),
        (b"\x1f\x8b\x08\x00\x01\x02", False),
        ("User-agent: *\nDisallow: /".encode("utf-16"), True),
        ("# robots\r\nUser-agent: *\r\nDisallow: /".encode("utf-16-le"), True),
        ("User-agent: *\nDisallow: /".encode("utf-16-be"), True),
        ("Not found".encode("utf-16-le"), False),
        (b"User-agent: *\0\nDisallow:\n", False),
        (b"\xef\xbb\xbf\xef\xbb\xbfUser-agent: *\nDisallow: /", True),
        ("\u200bUser-agent: *\nDisallow: /".encode(), True),
        (b"User_agent: *\nDisallow: /", True),
        (b"Disallow: /", True),
        (b"User-agnet: *\nDisallow: /", True),
        (b"Disallow:\nAllow: /", True),
    ],
)
def test_what_is_a_robots_file_at_all(body: bytes, *, parsable: bool) -> None:
    assert parse(body).parsable is parsable


def test_five_megabytes_are_read_to_the_limit() -> None:
    filler = b"# filler\n" * (SIZE_LIMIT // 9)
    inside = parse(b"User-agent: GPTBot\nDisallow: /in\n" + filler * 10 + b"Disallow: /out\n")
    assert inside.truncated
    assert decide(rule_sets(inside, ["GPTBot"]), "/in") is not None
    assert decide(rule_sets(inside, ["GPTBot"]), "/out") is None
    assert not parse(filler).truncated


def test_a_rule_that_the_limit_cuts_is_not_read() -> None:
    head = b"User-agent: *\n"
    body = head + b"#" * (SIZE_LIMIT - len(head) - 12) + b"\nAllow: /abcdef\n"
    assert len(body[:SIZE_LIMIT].split(b"\n")[-1]) > 5
    assert parse(body).groups[0].lines == []


def test_long_evidence_is_cut() -> None:
    found = ask("User-agent: *\nDisallow: /" + "*a" * 2000, "x", "/" + "a" * 2000)
    assert found is not None
    assert len(found.text) == TEXT_LIMIT


@given(st.binary(max_size=300), st.text(max_size=20), st.text(max_size=30))
def test_any_bytes_are_answered(body: bytes, agent: str, path: str) -> None:
    decide(rule_sets(parse(body), [agent, "*"], "strict"), target_of(path))
    decide(rule_sets(parse(b"User-agent: *\nDisallow: /" + body), [agent], "strict"), "/" + path)


@given(st.permutations(["User-agent: a\nDisallow: /1", "User-agent: b\nDisallow: /2", "User-agent: *\nDisallow: /3"]))
def test_order_of_groups_is_no_matter(groups: list[str]) -> None:
    body = "\n\n".join(groups)
    denied = [path for path in ("/1", "/2", "/3") if ask(body, "a", path, "b")]
    assert denied == ["/1", "/2"]


def test_agent_tokens() -> None:
    assert [agent_token(name) for name in ("CCBot/2.0", "*", "Kangaroo Bot", " GPTBot ")] == [
        "ccbot",
        "*",
        "kangaroo",
        "gptbot",
    ]
    assert agent_token("Mozilla/5.0 (compatible; GPTBot/1.1; +https://openai.com/gptbot)") == "gptbot"


@pytest.mark.parametrize(
    "body",
    [
        "User-agent: Foo, GPTBot\nDisallow: /x",
        "User-agent: Foo GPTBot\nDisallow: /x",
        "User-agent: \u201cGPTBot\u201d\nDisallow: /x",
        "User-agent: '*'\nDisallow: /x",
        "User-agents: GPTBot\nDisallow: /x",
        "User_agent: *\nDisallow: /x",
        "User\u2011agent: GPTBot\nDisallow: /x",
        "User-agent\uff1a *\nDisallow\uff1a/x",
        "\u200bUser-agent: *\nDisallow: /x",
        "\ufeff\ufeffUser-agent: *\nDisallow: /x",
        "\u00ef\u00bb\u00bfUser-agent: *\nDisallow: /x",
        "User-agent: *\nDisallow: https://a.example/x",
        "User-agent: *\nDisallow: \\x",
        "Disallow: /x",
        "Crawl-delay: 3\nDisallow: /x\n\nUser-agent: Other\nDisallow:\n",
    ],
)
def test_odd_spellings_deny(body: str) -> None:
    assert ask(body, "GPTBot", "/x/1", "*") is not None
    assert ask(body, "GPTBot", "/y", "*") is None
    assert parse(body.encode()).parsable


def test_a_line_of_nothing_visible_is_blank() -> None:
    assert parse("\u200b\nUser-agent: *\n\ufeff".encode()).parsable


def test_odd_spellings_permit_nothing() -> None:
    assert ask("User-agent: *\nDisallow: /\nAllow\uff1a/x\n", "GPTBot", "/x") is not None
    assert ask("User-agent: *\nDisallow: /\nUser_agent: GPTBot\nAllow: /y\n", "GPTBot", "/x") is not None
    # The URL of a whole other site closes nothing here.
    assert ask("User-agent: *\nDisallow: https://assets.a.example/\n", "GPTBot", "/x") is None
    assert not parse(b"User-agent: *\nDisallow:\n\0").parsable


@pytest.mark.parametrize("target", ["/pub/../private/x", "/pub/%2e%2E/private/x", "/./private/x", "/a\\..\\private/x"])
def test_dot_segments_are_matched_both_ways(target: str) -> None:
    assert ask("User-agent: *\nDisallow: /private/\n", "GPTBot", target) is not None
    assert ask("User-agent: *\nDisallow: /pub/\n", "GPTBot", "/pub/../x") is not None
    assert ask("User-agent: *\nDisallow: /private/\n", "GPTBot", "/private.html?../private/") is None
