"""Redirects, further tries, and one request at a time for a host."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from time import time

import pytest

from lauter.stages.optout.fetch.exchange import Client, Settings
from lauter.stages.optout.fetch.follow import HOPS, Hosts, Result, fetch_file
from lauter.stages.optout.index.answers import compile_answer
from lauter.stages.optout.index.terms import Terms
from tests.stages.optout.fetch.asking import HOW, ask, stored
from tests.stages.optout.fetch.server import Act, Reply, Request, Server, http

RULES = b"User-agent: *\nDisallow: /\n"


def follow(reply: Reply, how: Settings = HOW) -> tuple[Result, Server]:
    async def run() -> tuple[Result, Server]:
        async with Server(reply) as server:
            return await ask(server.url("a.test"), how), server

    return asyncio.run(run())


def to(location: str, status: int = 301) -> bytes:
    return http(status, b"moved", f"Location: {location}")


@pytest.mark.parametrize("hops", range(1, 8))
def test_five_redirects_are_followed(hops: int, tmp_path: Path) -> None:
    def reply(request: Request) -> bytes:
        at = int(request.path.partition("?")[2] or 0)
        return to(f"/robots.txt?{at + 1}", (301, 302, 303, 307, 308)[at % 5]) if at < hops else http(200, RULES)

    result, server = follow(reply)
    answer = stored(result, tmp_path)
    assert len(server.requests) == min(hops, HOPS) + 1
    assert len(result.chain) == min(hops, HOPS + 1)
    if hops <= HOPS:
        assert (answer.status, answer.body) == (200, RULES)
        assert result.final_url.endswith(f"/robots.txt?{hops}")
    else:
        assert result.failure is not None
        assert result.failure.code == "too-many-redirects"
        assert (answer.status, answer.body) == (None, None)


def test_another_host_may_answer_for_the_first(tmp_path: Path) -> None:
    async def run() -> None:
        def reply(request: Request) -> bytes:
            here = {"a.test": to(f"//b.test:{server.port}/else"), "b.test": http(200, RULES)}
            return here[request.host]

        async with Server(reply) as server:
            result = await ask(server.url("a.test"))
            assert [hop.status for hop in result.chain] == [301]
            assert result.final_url == server.url("b.test", "/else")
            answer = stored(result, tmp_path)
            assert (answer.origin, answer.body) == (server.url("a.test", ""), RULES)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("/robots.txt", "redirect-loop"),
        ("file:///etc/passwd", "refused-redirect"),
        ("ftp://a.test/robots.txt", "refused-redirect"),
        ("data:text/plain,Allow", "refused-redirect"),
        ("javascript:alert(1)", "refused-redirect"),
        ("http://[::1", "refused-redirect"),
        ("http://a.test\\@b.test/", "refused-redirect"),
        ("http://", "redirect-loop"),
        ("/" + "a" * 9_000, "refused-redirect"),
        ("http://a.test:22/robots.txt", "refused-port"),
        ("http://a.test:6379/", "refused-port"),
        ("http://10.0.0.1/robots.txt", "refused-address"),
        ("http://169.254.169.254/latest/meta-data/", "refused-address"),
        ("http://[::ffff:127.0.0.1]/", "refused-address"),
        ("http://[fe80::1]/", "refused-address"),
    ],
)
def test_where_a_redirect_must_not_lead(location: str, code: str, tmp_path: Path) -> None:
    result, server = follow(lambda _: to(location))
    assert result.failure is not None
    assert result.failure.code == code
    assert len(server.requests) == len(result.chain) == 1
    answer = stored(result, tmp_path)
    assert (answer.status, answer.body, answer.location) == (None, None, None)
    assert compile_answer(answer, Terms(("GPTBot",))).outcome == "unreachable"


def test_a_loop_over_two_hosts_ends() -> None:
    async def run() -> None:
        def reply(request: Request) -> bytes:
            return to(server.url("b.test" if request.host == "a.test" else "a.test"))

        async with Server(reply) as server:
            result = await ask(server.url("a.test"))
            assert result.failure is not None
            assert result.failure.code == "redirect-loop"
            assert len(server.requests) == 2

    asyncio.run(run())


def test_a_redirect_without_a_location_is_the_answer() -> None:
    result, _ = follow(lambda _: http(302))
    assert result.answer is not None
    assert result.answer.status == 302


def test_a_location_that_is_not_ascii_is_escaped() -> None:
    result, server = follow(lambda r: to("/ü?q=ä b") if r.path == "/robots.txt" else http(200))
    assert server.paths() == ["/robots.txt", "/%C3%BC?q=%C3%A4%20b"]
    assert result.answer is not None


@pytest.mark.parametrize(("status", "tries"), [(500, 3), (503, 3), (429, 3), (404, 1), (403, 1), (408, 3), (425, 3)])
def test_only_what_may_pass_is_tried_again(status: int, tries: int) -> None:
    result, server = follow(lambda _: http(status), replace(HOW, retries=2))
    assert len(server.requests) == result.tries == tries
    assert result.answer is not None
    assert result.answer.status == status
    waits = [b.at - a.at for a, b in zip(server.requests, server.requests[1:], strict=False)]
    assert all(wait >= 0.01 * 2**i for i, wait in enumerate(waits))


def test_a_later_try_may_succeed() -> None:
    async def reset(writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    replies: list[bytes | Act] = [reset, reset, http(503), http(200, RULES)]
    result, server = follow(lambda _: replies.pop(0), replace(HOW, retries=2))
    assert result.answer is not None
    assert (result.answer.body, result.tries, len(server.requests)) == (RULES, 3, 4)


def test_retry_after_is_waited_for() -> None:
    replies = [http(429, b"", "Retry-After: 1"), http(200, RULES)]
    result, server = follow(lambda _: replies.pop(0), replace(HOW, retries=1))
    assert result.answer is not None
    assert result.answer.body == RULES
    assert server.requests[1].at - server.requests[0].at >= 1


@pytest.mark.parametrize(
    "wait", ["3600", formatdate(time() + 3600, usegmt=True), "9" * 5000], ids=["s", "date", "long"]
)
def test_who_wants_more_patience_than_we_have_is_not_asked_again(wait: str) -> None:
    result, server = follow(lambda _: http(429, b"", f"Retry-After: {wait}"), replace(HOW, retries=2))
    assert result.answer is not None
    assert result.answer.status == 429
    assert len(server.requests) == 1


@pytest.mark.parametrize("wait", ["soon", "-5", "²", formatdate(0, usegmt=True)])
def test_a_retry_after_that_says_nothing_changes_nothing(wait: str) -> None:
    _, server = follow(lambda _: http(503, b"", f"Retry-After: {wait}"), replace(HOW, retries=1))
    assert len(server.requests) == 2


def test_a_host_that_is_not_there_is_not_asked_for_its_other_files() -> None:
    lookups: list[str] = []

    async def lookup(host: str, port: int) -> list[str]:
        lookups.append(host)
        return ["10.0.0.1"]

    async def run() -> None:
        how = replace(HOW, lookup=lookup)
        hosts = Hosts()
        async with Client(how) as client:
            results = [
                await fetch_file(f"http://a.test/{name}", client, hosts, how) for name in ("robots.txt", "ai.txt")
            ]
        assert [r.failure.code for r in results if r.failure] == ["refused-address"] * 2
        assert [r.tries for r in results] == [1, 0]
        assert lookups == ["a.test"]

    asyncio.run(run())


def test_a_host_is_asked_for_one_thing_at_a_time() -> None:
    async def run() -> None:
        async def slow(request: Request) -> bytes:
            await asyncio.sleep(0.01)
            target = server.url("shared.test", f"/{request.host}")
            return to(target) if request.host != "shared.test" else http(200, RULES)

        async with Server(slow) as server:
            hosts = Hosts()
            async with Client(HOW) as client:
                urls = [server.url(f"h{i}.test", path) for i in range(8) for path in ("/robots.txt", "/ai.txt")]
                results = await asyncio.gather(*(fetch_file(url, client, hosts, HOW) for url in urls))
            assert all(r.answer is not None and r.answer.body == RULES for r in results)
            assert {name: most for name, most in server.most.items() if name} == {
                "shared.test": 1,
                **{f"h{i}.test": 1 for i in range(8)},
            }
            assert server.most[""] > 4
            assert hosts._locks == {}

    asyncio.run(run())
