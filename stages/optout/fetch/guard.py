"""Connects to checked addresses only: what a name resolves to is judged at the socket, so no second answer slips in."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult

Permitted: TypeAlias = Callable[[str], bool]
"""Whether an address may be connected to."""

Lookup: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name at a port; raises socket.gaierror where there are none."""

AddressInfo: TypeAlias = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]
"""Family, type, protocol, canonical name and socket address, as socket.getaddrinfo returns them."""


class RefusedAddress(OSError):
    """An address that must not be connected to."""


async def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, from the system's resolver. Raises socket.gaierror where there are none."""
    try:
        infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # A label of more than 63 bytes, or an empty one.
        raise socket.gaierror(socket.EAI_NONAME, f"not a name that DNS can have: {error}") from error
    return [str(info[4][0]) for info in infos]


class GuardedResolver(AbstractResolver):
    """Resolves a name once a connection and hands over only the addresses that are permitted."""

    def __init__(self, permitted: Permitted, lookup: Lookup) -> None:
        self._permitted = permitted
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The permitted addresses of a name, as numbers. Raises RefusedAddress if it has others only."""
        found = list(dict.fromkeys(await self._lookup(host, port)))
        allowed = [address for address in found if self._permitted(address)]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, f"{host} has no address")
        if not allowed:
            raise RefusedAddress(f"{host} is at {', '.join(found)}, which is not on the public Internet")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in allowed
        ]

    async def close(self) -> None:
        """Nothing is held."""


def guarded_socket(permitted: Permitted) -> Callable[[AddressInfo], socket.socket]:
    """Opens the socket of each connection that is tried: also to an address in the URL, which nobody resolves.

    The function returned raises RefusedAddress for a socket address that is not permitted.
    """

    def open_socket(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, address = info
        if not permitted(address[0]):
            raise RefusedAddress(f"{address[0]} is not on the public Internet")
        return socket.socket(family, kind, protocol)

    return open_socket
