"""One request and its answer, with every way in which it can fail named."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple

import aiohttp
from yarl import URL

from lauter.stages.optout.fetch.address import is_public
from lauter.stages.optout.fetch.body import BodyReader
from lauter.stages.optout.fetch.guard import GuardedResolver, Lookup, Permitted, RefusedAddress, guarded_socket, look_up

ERRORS: Mapping[str, str] = {
    "dns": "the host has no address",
    "refused-address": "every address of the host is one that is not on the public Internet",
    "connect": "no connection",
    "tls": "no TLS connection, or a certificate that is not the host's",
    "timeout": "no whole answer in time",
    "reset": "the connection ended before the answer was whole",
    "bad-http": "the answer is not HTTP",
    "bad-url": "the URL cannot be asked for",
    "refused-redirect": "a redirect to something that is not an http or https URL",
    "refused-port": "a redirect to a port that is neither 80, 443 nor the origin's own",
    "redirect-loop": "a redirect to a URL that redirected before",
    "too-many-redirects": "more than five redirects in a row",
}
"""Every value of a row's `error`, and what it means."""

TRANSIENT = (408, 425, 429)
"""Statuses below 500 that ask for another try (RFC 9110 section 15.5.9, RFC 8470, RFC 6585)."""

# Of a host that failed so, other files would fail alike.
_OF_HOST = ("dns", "refused-address", "connect", "tls", "timeout")

# Out of file descriptors, of memory for sockets, or of memory.
_OURS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

# Response headers of real sites (content security policies above all) exceed the 8,190 bytes that aiohttp allows.
_HEADER_BYTES = 1 << 16
_HEADERS = 512
_CHUNK_BYTES = 1 << 14
# The body of any answer but 2xx says nothing. Reading a short one to its end saves the next request a connection.
_DRAIN_BYTES = 1 << 16
_DRAIN_S = 2.0
# A connection is for the files of one host, which are asked for one after the other.
_KEEP_ALIVE_S = 1.0


class Failure(Exception):
    """No whole answer."""

    def __init__(self, code: str, detail: str, *, again: bool = False) -> None:
        """`code` is a key of ERRORS; `again` says that another try may succeed."""
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.again = again

    @property
    def of_host(self) -> bool:
        """Whether asking the same host for something else is of no use."""
        return self.code in _OF_HOST


class Answer(NamedTuple):
    """What a server said."""

    status: int
    location: str | None
    retry_after: str | None
    content_type: str | None
    body: bytes | None
    """Decoded; None for a status other than 2xx and for a body that cannot be decoded."""
    truncated: bool = False
    broken: bool = False
    """The body cannot be decoded."""


@dataclass(frozen=True)
class Settings:
    """How to ask."""

    user_agent: str
    timeout_s: float = 30.0
    """For one request, from the look-up of the name to the last byte of the body."""
    pause_s: float = 10.0
    """For a connection, and between two bytes; at most `timeout_s` counts."""
    concurrency: int = 100
    """Hosts asked at a time; one host is asked for one thing at a time."""
    retries: int = 2
    """Further tries after a 5xx, one of TRANSIENT or a network error."""
    backoff_s: float = 1.0
    """Before the first further try; doubled before each one after."""
    patience_s: float = 60.0
    """The longest Retry-After that is waited for; a longer one means no further try."""
    permitted: Permitted = is_public
    lookup: Lookup = look_up
    tls: ssl.SSLContext | None = None
    """None: the system's trusted certificates."""


class Client:
    """An HTTP/1.1 client that sends no cookies, follows nothing, uses no proxy and connects to permitted addresses."""

    def __init__(self, settings: Settings) -> None:
        """Must be made where an event loop runs."""
        pause = min(settings.pause_s, settings.timeout_s)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=GuardedResolver(settings.permitted, settings.lookup),
                socket_factory=guarded_socket(settings.permitted),
                use_dns_cache=False,
                limit=0,
                keepalive_timeout=_KEEP_ALIVE_S,
                ssl=settings.tls or True,
            ),
            headers={"User-Agent": settings.user_agent, "Accept": "*/*", "Accept-Encoding": "gzip, deflate, br"},
            timeout=aiohttp.ClientTimeout(total=settings.timeout_s, sock_connect=pause, sock_read=pause),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
            max_headers=_HEADERS,
        )

    async def __aenter__(self) -> Client:
        """Itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self._session.close()

    async def get(self, url: str) -> Answer:
        """Ask for a URL, whose spelling is sent as it is.

        A connection that ends before the first byte of an answer may be a kept one that had just timed out, so it is
        asked once more at once (RFC 9112 section 9.3.1). Raises Failure for whatever the server or the network does,
        OSError where this machine can open no more files.
        """
        try:
            target = URL(url, encoded=True)
        except ValueError as error:
            raise Failure("bad-url", str(error)) from error
        try:
            async with self._session.get(target, allow_redirects=False) as response:
                return await _answer(response)
        except Exception as error:
            # A server that finds a hole in the client must not end the run for all others.
            raise _failure(error) from error


async def _answer(response: aiohttp.ClientResponse) -> Answer:
    headers = response.headers
    answer = Answer(
        response.status,
        headers.get("Location"),
        headers.get("Retry-After"),
        headers.get("Content-Type"),
        None,
    )
    if 200 <= response.status < 300:
        reader = BodyReader(",".join(headers.getall("Content-Encoding", [])))
        async for data in response.content.iter_chunked(_CHUNK_BYTES):
            reader.feed(data)
            if reader.full:
                response.close()
                break
        body = reader.finish()
        return answer._replace(body=None if body.broken else body.data, truncated=body.truncated, broken=body.broken)
    size = 0
    with suppress(aiohttp.ClientError, TimeoutError, OSError):
        async with asyncio.timeout(_DRAIN_S):
            async for data in response.content.iter_chunked(_CHUNK_BYTES):
                size += len(data)
                if size > _DRAIN_BYTES:
                    break
    return answer


def _failure(error: Exception) -> Failure:
    """What went wrong, in the words of ERRORS. Raises OSError for what is this machine's own fault."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    text = str(cause) or type(error).__name__
    if isinstance(cause, OSError) and cause.errno in _OURS:
        # Taken for a failure of the host, it would be written down against one that did nothing wrong.
        raise OSError(cause.errno, f"{text}: allow more open files (ulimit -n) or ask fewer hosts at a time")
    if isinstance(cause, RefusedAddress):
        return Failure("refused-address", text)
    if isinstance(cause, socket.gaierror):
        return Failure("dns", text, again=cause.errno == socket.EAI_AGAIN)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Failure("dns", text, again=True)
    if isinstance(error, aiohttp.ClientSSLError) or isinstance(cause, ssl.SSLError):
        return Failure("tls", text)
    if isinstance(error, TimeoutError):
        return Failure("timeout", text, again=True)
    if isinstance(error, aiohttp.ClientConnectorError):
        return Failure("connect", text, again=True)
    if isinstance(error, aiohttp.ClientResponseError):
        return Failure("bad-http", error.message or text)
    if isinstance(error, aiohttp.InvalidURL):
        return Failure("bad-url", text)
    if isinstance(error, aiohttp.ClientError | OSError):
        return Failure("reset", text, again=True)
    return Failure("bad-http", f"{type(error).__name__}: {text}")
