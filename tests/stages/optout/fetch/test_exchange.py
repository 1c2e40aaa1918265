"""Every kind of answer and of failure, from a real server."""

from __future__ import annotations

import asyncio
import gzip
import socket
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from lauter.stages.optout.fetch.body import LIMIT_BYTES
from lauter.stages.optout.fetch.exchange import ERRORS, Client, Settings
from lauter.stages.optout.fetch.follow import Result
from lauter.stages.optout.index.answers import compile_answer
from lauter.stages.optout.index.terms import Terms
from lauter.stages.optout.snapshot.answer import Fetched
from tests.stages.optout.fetch.asking import HOW, ask, stored
from tests.stages.optout.fetch.server import Act, Request, Server, http

RULES = b"User-agent: *\nDisallow: /\n"


def once(reply: bytes | Act, how: Settings = HOW) -> tuple[Result, Server]:
    """What comes of one robots.txt under one reply to every request."""

    async def run() -> tuple[Result, Server]:
        async with Server(lambda _: reply) as server:
            return await ask(server.url("a.test"), how), server

    return asyncio.run(run())


def error(result: Result) -> str:
    assert result.answer is None
    assert result.failure is not None
    assert result.failure.code in ERRORS
    return result.failure.code


@pytest.mark.parametrize(
    "status", [200, 203, 206, 300, 304, 400, 401, 403, 404, 408, 410, 429, 451, 500, 503, 599, 999]
)
def test_a_status_is_kept_as_it_is(status: int, tmp_path: Path) -> None:
    result, server = once(http(status, b"" if status == 304 else RULES))
    body = RULES if status < 300 else None
    assert result.answer is not None
    assert (result.answer.status, result.answer.body, result.failure) == (status, body, None)
    assert len(server.requests) == result.tries == 1
    answer = stored(result, tmp_path)
    assert (answer.status, answer.body, answer.broken, answer.truncated) == (status, body, False, False)
    assert answer.fetched_at == int(result.fetched_at.timestamp())


def test_the_request_is_polite_and_bare() -> None:
    _, server = once(http(200, RULES, "Set-Cookie: a=b"))
    head = server.requests[0].head.lower().split("\r\n")
    names = {line.partition(":")[0] for line in head[1:] if line}
    assert head[0] == "get /robots.txt http/1.1"
    assert "user-agent: lauter/test (+https://lauter.example/fetch)" in head
    assert names == {"host", "user-agent", "accept", "accept-encoding"}


def test_a_204_and_an_empty_file_are_empty(tmp_path: Path) -> None:
    for reply in (b"HTTP/1.1 204 X\r\n\r\n", http(200)):
        result, _ = once(reply)
        assert stored(result, tmp_path).body == b""


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", gzip.compress(RULES, mtime=0)),
        ("deflate", zlib.compress(RULES)),
        ("deflate", zlib.compress(RULES, wbits=-15)),
        ("gzip", RULES),
        ("br", RULES),
    ],
)
def test_codings(coding: str, data: bytes, tmp_path: Path) -> None:
    result, _ = once(http(200, data, f"Content-Encoding: {coding}"))
    assert stored(result, tmp_path).body == RULES


@pytest.mark.parametrize("data", [gzip.compress(RULES, mtime=0)[:-9], b"\x1f\x8b" + b"\xff" * 99])
def test_what_cannot_be_decoded_is_broken_and_not_empty(data: bytes, tmp_path: Path) -> None:
    result, _ = once(http(200, data, "Content-Encoding: gzip"))
    answer = stored(result, tmp_path)
    assert (answer.status, answer.broken) == (200, True)
    assert compile_answer(answer, Terms(("GPTBot",))).outcome == "unparsable"


def test_an_endless_body_is_cut_and_left(tmp_path: Path) -> None:
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"Disallow: /x\n" * 5000)
            sent += 65_000
            await writer.drain()

    result, _ = once(endless)
    answer = stored(result, tmp_path)
    assert answer.truncated
    assert answer.body is not None
    assert len(answer.body) == LIMIT_BYTES
    assert sent < 32 << 20  # What the buffers of two sockets can hold.


def test_a_gzip_bomb_costs_nothing(tmp_path: Path) -> None:
    zeros = gzip.compress(b"\0" * (64 << 20))

    async def bomb(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 999999\r\n\r\n" + zeros)
        await asyncio.sleep(9)  # Who waits for the end gets none.

    tracemalloc.start()
    result, _ = once(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    answer = stored(result, tmp_path)
    assert answer.truncated
    assert len(answer.body or b"") == LIMIT_BYTES
    assert peak < 8 << 20


async def _hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(5)


async def _drip_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _drip_body(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\nUser-agent: *\n")
    while True:
        writer.write(b"#")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _cut_body(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\nUser-agent: *\nAllow: /\n")


async def _cut_chunks(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nUser-\r\n")


async def _reset(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def _nothing(writer: asyncio.StreamWriter) -> None:
    writer.write_eof()


async def _ssh(writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")


async def _rubbish(writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\xff\x16\x03\r\n\r\n" * 9)


async def _old(writer: asyncio.StreamWriter) -> None:
    writer.write(b"User-agent: *\nAllow: /\n\n")


async def _headers_for_ever(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: y\r\n" * 999)
        await writer.drain()


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (_hang, "timeout"),
        (_drip_head, "timeout"),
        (_drip_body, "timeout"),
        (_cut_body, "reset"),
        (_cut_chunks, "reset"),
        (_reset, "reset"),
        (_nothing, "reset"),
        (_ssh, "bad-http"),
        (_rubbish, "bad-http"),
        (_old, "bad-http"),
        (_headers_for_ever, "bad-http"),
    ],
)
def test_an_answer_that_is_not_whole_is_none(act: Act, code: str, tmp_path: Path) -> None:
    result, server = once(act, replace(HOW, timeout_s=0.4))
    assert error(result) == code
    answer = stored(result, tmp_path)
    assert answer == Fetched(answer.origin, None, answer.fetched_at, None)
    assert compile_answer(answer, Terms(("GPTBot",))).outcome == "unreachable"
    # A connection that ends without a byte may have been a kept one that had just timed out (RFC 9112 section 9.3.1).
    assert len(server.requests) == (2 if act in (_reset, _nothing) else 1)


def test_the_status_of_an_error_counts_even_if_its_page_does_not_end() -> None:
    async def page(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 404 No\r\nContent-Length: 9999\r\n\r\n<html>")

    result, _ = once(page)
    assert result.answer is not None
    assert result.answer.status == 404


def test_no_connection_and_no_name() -> None:
    async def nowhere(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    async def run() -> None:
        async with Server(lambda _: b"") as server:
            port = server.port
        assert error(await ask(f"http://a.test:{port}/robots.txt")) == "connect"
        assert error(await ask("http://a.test/robots.txt", replace(HOW, lookup=nowhere))) == "dns"

    asyncio.run(run())


def test_the_files_of_a_host_share_a_connection() -> None:
    replies: dict[str, bytes] = {"/robots.txt": http(200, RULES), "/ai.txt": http(404, b"x" * 9999)}

    def reply(request: Request) -> bytes:
        return replies.get(request.path, http(200, b"[]"))

    async def run() -> int:
        async with Server(reply) as server, Client(HOW) as client:
            for path in ("/robots.txt", "/ai.txt", "/.well-known/tdmrep.json"):
                await client.get(server.url("a.test", path))
            return server.connections

    assert asyncio.run(run()) == 1


def test_a_url_is_sent_as_it_is_spelt() -> None:
    seen: list[str] = []

    def reply(request: Request) -> bytes:
        seen.append(request.path)
        return http(404)

    async def run() -> None:
        async with Server(reply) as server:
            await ask(server.url("a.test", "/a%2Fb/../%7e?x=%20&&"))

    asyncio.run(run())
    assert seen == ["/a%2Fb/../%7e?x=%20&&"]
