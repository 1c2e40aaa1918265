"""A real HTTP server on loopback that says byte for byte what a test wants, and notes what it was asked."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TypeAlias

Act: TypeAlias = Callable[[asyncio.StreamWriter], Awaitable[None]]
"""Writes what it likes; the connection ends with it."""


@dataclass(frozen=True)
class Request:
    host: str
    path: str
    head: str
    at: float


Reply: TypeAlias = Callable[[Request], "bytes | Act | Awaitable[bytes]"]


def http(status: int, body: bytes = b"", *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode("utf-8") + body


class Server:
    def __init__(
        self, reply: Reply, addresses: tuple[str, ...] = ("127.0.0.1",), tls: ssl.SSLContext | None = None
    ) -> None:
        self.reply = reply
        self.requests: list[Request] = []
        self.connections = 0
        self.most: Counter[str] = Counter()
        self.port = 0
        self._addresses = addresses
        self._tls = tls
        self._active: Counter[str] = Counter()
        self._servers: list[asyncio.Server] = []

    async def __aenter__(self) -> Server:
        for address in self._addresses:
            server = await asyncio.start_server(self._serve, address, self.port, ssl=self._tls)
            self.port = self.port or server.sockets[0].getsockname()[1]
            self._servers.append(server)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.close()

    def url(self, host: str, path: str = "/robots.txt", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._answer(reader, writer):
                pass
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lines = head.split("\r\n")
        host = next(line.partition(": ")[2] for line in lines if line.lower().startswith("host:")).rpartition(":")[0]
        request = Request(host, lines[0].split(" ")[1], head, time.monotonic())
        self.requests.append(request)
        for name in (host, ""):
            self._active[name] += 1
            self.most[name] = max(self.most[name], self._active[name])
        try:
            reply = self.reply(request)
            if callable(reply):
                await reply(writer)
                return False
            data = reply if isinstance(reply, bytes) else await reply
            writer.write(data)
            await writer.drain()
        finally:
            for name in (host, ""):
                self._active[name] -= 1
        return b"Content-Length: " in data
