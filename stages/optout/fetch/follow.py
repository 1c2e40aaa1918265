"""One file of one origin: redirects followed and tries repeated as RFC 9309 section 2.3.1 has it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from lauter.pipeline.origin import locate
from lauter.stages.optout.fetch.exchange import TRANSIENT, Answer, Client, Failure, Settings

HOPS = 5
"""Redirects that are followed, also to other hosts: as many as RFC 9309 section 2.3.1.2 asks for."""

_REDIRECTS = (301, 302, 303, 307, 308)
_DEFAULT_PORT = {"http": 80, "https": 443}
# RFC 9110 section 4.1 asks for 8,000 bytes at least.
_URL_CHARACTERS = 8_000
# All that RFC 3986 lets stand in a path or a query, and the percent sign of what is escaped already.
_SAFE = "!#$%&'()*+,/:;=?@[]~"
# Redirects of many hosts lead to few others; a host that is not there costs its time limit at each try.
_GONE_ORIGINS = 10_000


class Hop(NamedTuple):
    """A redirect that was followed, or refused."""

    url: str
    status: int
    location: str


class Result(NamedTuple):
    """What came of asking for one file."""

    url: str
    """As asked for first."""
    final_url: str
    """Whose answer it is."""
    chain: tuple[Hop, ...]
    answer: Answer | None
    """None where `failure` is not."""
    failure: Failure | None
    tries: int
    """Requests, over all redirects and repeats."""
    fetched_at: datetime
    """UTC, when the answer was there."""


class Hosts:
    """What one run knows of hosts: which one is being asked, and which origins did not answer."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}
        self._gone: OrderedDict[str, Failure] = OrderedDict()

    @asynccontextmanager
    async def asking(self, host: str) -> AsyncIterator[None]:
        """Wait until nobody asks the host; nobody else does until the end."""
        lock, users = self._locks.get(host, (asyncio.Lock(), 0))
        self._locks[host] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks[host]
            if users == 1:
                del self._locks[host]
            else:
                self._locks[host] = lock, users - 1

    def gone(self, origin: str) -> Failure | None:
        """Why asking the origin is of no use, if it is."""
        return self._gone.get(origin)

    def note(self, origin: str, failure: Failure) -> None:
        """Keep in mind that an origin did not answer."""
        self._gone[origin] = Failure(failure.code, failure.detail)  # Without the frames it was raised in.
        if len(self._gone) > _GONE_ORIGINS:
            self._gone.popitem(last=False)


@dataclass
class _Asking:
    """One file on its way."""

    client: Client
    hosts: Hosts
    settings: Settings
    chain: list[Hop] = field(default_factory=list)
    tries: int = 0

    async def follow(self, url: str) -> tuple[str, Answer]:
        """The answer at the end of the redirects and where it was. Raises Failure."""
        ports = {*_DEFAULT_PORT.values(), _port(url)}
        asked: set[str] = set()
        while True:
            answer = await self.ask(url)
            asked.add(url)
            if answer.status not in _REDIRECTS or answer.location is None:
                return url, answer
            self.chain.append(Hop(url, answer.status, answer.location[:_URL_CHARACTERS]))
            if len(self.chain) > HOPS:
                raise Failure("too-many-redirects", f"{url} redirects as well, after {HOPS} others")
            url = _target(url, answer.location)
            if _port(url) not in ports:
                raise Failure("refused-port", f"a redirect to {url}")
            if url in asked:
                raise Failure("redirect-loop", f"a redirect back to {url}")

    async def ask(self, url: str) -> Answer:
        """The answer of one URL, after as many tries as it takes. Raises Failure."""
        place = locate(url)
        if place is None:
            raise Failure("bad-url", url)
        async with self.hosts.asking(urlsplit(place.origin).hostname or ""):
            gone = self.hosts.gone(place.origin)
            if gone is not None:
                raise Failure(gone.code, f"not asked, because it did not answer before: {gone.detail}")
            try:
                return await self._try(url)
            except Failure as failure:
                if failure.of_host:
                    self.hosts.note(place.origin, failure)
                raise

    async def _try(self, url: str) -> Answer:
        # The pauses are taken with the host held: whoever else wants something of it has to wait as well.
        settings = self.settings
        pause = settings.backoff_s
        for left in reversed(range(settings.retries + 1)):
            wait = pause
            self.tries += 1
            try:
                answer = await self.client.get(url)
            except Failure as failure:
                if not left or not failure.again:
                    raise
            else:
                if not left or (answer.status not in TRANSIENT and answer.status < 500):
                    return answer
                wait = max(pause, _retry_after(answer.retry_after))
                if wait > settings.patience_s:
                    return answer
            await asyncio.sleep(wait)
            pause *= 2
        raise AssertionError("the last try returns or raises")


async def fetch_file(url: str, client: Client, hosts: Hosts, settings: Settings) -> Result:
    """Ask for a URL, follow its redirects, and say what came of it; never raises for what a server does."""
    asking = _Asking(client, hosts, settings)
    answer, failure = None, None
    final = url
    try:
        final, answer = await asking.follow(url)
    except Failure as error:
        failure = error
        final = asking.chain[-1].url if asking.chain else url
    return Result(url, final, tuple(asking.chain), answer, failure, asking.tries, datetime.now(UTC))


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or _DEFAULT_PORT[parts.scheme]


def _target(url: str, location: str) -> str:
    """The URL that a Location header names, in ASCII. Raises Failure where it is not one of http or https."""
    shown = location[:200]
    try:
        place = locate(urljoin(url, location.strip())) if len(location) <= _URL_CHARACTERS else None
    except ValueError:
        place = None
    if place is None:
        raise Failure("refused-redirect", f"a redirect to {shown!r}")
    return place.origin + quote(place.target.encode("utf-8", "surrogateescape"), safe=_SAFE)


def _retry_after(value: str | None) -> float:
    """Seconds to wait (RFC 9110 section 10.2.3: a number of them, or a date); 0 where nothing can be read."""
    try:
        if value is None:
            return 0.0
        return float(value) if value.strip().isdigit() else _until(parsedate_to_datetime(value))
    except (ValueError, OverflowError):
        return 0.0


def _until(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - datetime.now(UTC).timestamp()
