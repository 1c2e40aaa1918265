"""Lists of hosts that are always refused, or always allowed, each with its reason: a contract, a court, a complaint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from lauter.pipeline.origin import normalise
from lauter.stages.optout import data_file


class HostEntry(BaseModel):
    """One host, or with `*.` in front a host and all its subdomains."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    host: str = Field(min_length=1)
    """`example.org`: this host alone; `*.example.org`: it and every name below it."""
    reason: str = Field(min_length=1)
    """Why, in words: it stands in the ledger of every page that it decides."""


class HostLists(BaseModel):
    """What a file of hosts holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    deny: tuple[HostEntry, ...] = ()
    allow: tuple[HostEntry, ...] = ()


class Listed(NamedTuple):
    """The entry that decides a host."""

    allow: bool
    reason: str


class HostChoice:
    """Finds the entry of an origin: a refusal before a permission, the more exact name before the less exact one."""

    def __init__(self, deny: Sequence[HostEntry], allow: Sequence[HostEntry]) -> None:
        """Raises ValueError for an entry that is no host."""
        self._lists = ((False, _table(deny)), (True, _table(allow)))

    def __bool__(self) -> bool:
        return any(table for _, table in self._lists)

    def find(self, origin: str) -> Listed | None:
        """The entry for a normalised origin, or None."""
        host = _host(origin)
        for allow, table in self._lists:
            reason = table.get(host)
            name = host
            while reason is None and name:
                reason = table.get("*." + name)
                name = name.partition(".")[2]
            if reason is not None:
                return Listed(allow, reason)
        return None


def load_hosts(path: str) -> HostLists:
    """A file of hosts: YAML with `deny` and `allow`, lists of `host` and `reason`. Raises ValueError if it is not."""
    return data_file.load_own(HostLists, path, "list of hosts")


def _table(entries: Sequence[HostEntry]) -> dict[str, str]:
    table: dict[str, str] = {}
    for entry in entries:
        below = entry.host.startswith("*.")
        origin = normalise("https://" + entry.host.removeprefix("*."))
        # A port, a path or a user would be left out, and the entry would speak of more than it says.
        named = entry.host.rpartition("]")[2] if entry.host.startswith("[") else entry.host
        if origin is None or set(named) & set("/?#@:") or "*" in entry.host.removeprefix("*."):
            raise ValueError(f"{entry.host!r} is no host; write `example.org` or `*.example.org`")
        table.setdefault(("*." if below else "") + _host(origin), entry.reason)
    return table


def _host(origin: str) -> str:
    """The host of a normalised origin, without its port."""
    host = origin.partition("://")[2]
    return host if host.endswith("]") or ":" not in host else host.rpartition(":")[0]
