"""Demands: what is to be removed, by URL, host or doc_id, and the list of them that is published.

The list holds digests, since the URLs that people want forgotten are better not collected in one file:

    url     SHA-256 of the normalised URL, the row's key in the ledger's tree (`pipeline.proof.leaves`)
    host    SHA-256 of the host in normal form (`pipeline.origin`), any scheme and port; of `*.host` with its subdomains
    doc-id  the doc_id itself, 32 hex digits
    copy    the same, for a near-copy of a removed record that was taken along
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lauter.pipeline.origin import locate, normalise
from lauter.pipeline.proof.leaves import key_of, locator
from lauter.pipeline.storage import Storage, StorageError

TOMBSTONES = "takedown/tombstones.jsonl"
KINDS = ("url", "host", "doc-id", "copy")
ANY_SUBDOMAIN = "*."
LONGEST = 65_536
"""Code points of a line that is still a demand; the longest URLs of crawls are cut at a quarter of that."""


class DemandError(ValueError):
    """A line of a list is no demand; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One thing to remove."""

    kind: str
    """One of `KINDS`; the ledger's reason for a record that it removes."""
    value: str
    """Hex; see the module."""
    reason: str | None = None
    """Why, in the words of the one who entered it."""
    number: int = 0
    """The takedown that brought it, counted from 1 in each run folder."""
    date: str | None = None
    """When it was made, if that was said."""
    given: str | None = field(default=None, compare=False)
    """The line that made it, to speak of it with the one who wrote it; published nowhere."""

    @property
    def identity(self) -> tuple[str, str]:
        """What makes two demands the same one."""
        return self.kind, self.value

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data, without the line as it was given."""
        return {
            "kind": self.kind,
            "value": self.value,
            "reason": self.reason,
            "number": self.number,
            "date": self.date,
        }


def demand(kind: str, text: str) -> Demand:
    """The demand that a line of a list makes; raises `ValueError` that says what is wrong with it."""
    if len(text) > LONGEST:
        raise ValueError(f"has {len(text)} characters")
    if kind == "url":
        if locate(text) is None:
            raise ValueError(f"{text!r} is no http(s) URL: write it whole, as `https://example.org/page`")
        return Demand(kind, key_of(locator(text, b"")).hex(), given=text)
    if kind == "host":
        return Demand(kind, host_value(text), given=text)
    try:
        if len(bytes.fromhex(text)) == 16:
            return Demand(kind, text.strip().lower(), given=text)
    except ValueError:
        pass
    raise ValueError(f"{text!r} is no doc_id of 32 hex digits")


def host_value(text: str) -> str:
    """SHA-256 of a host, or of `*.host`; raises `ValueError` for what is none."""
    below = text.startswith(ANY_SUBDOMAIN)
    origin = normalise("http://" + text.removeprefix(ANY_SUBDOMAIN))
    host = origin.removeprefix("http://") if origin else ""
    named = text.removeprefix(ANY_SUBDOMAIN)
    if not host or any(mark in named for mark in "/@?#\\*") or (":" in named and not named.endswith("]")):
        raise ValueError(f"{text!r} is no host: write it without scheme, port and path, as `example.org`")
    if below and host.startswith("["):
        raise ValueError(f"{text!r}: an address has no subdomains")
    return digest_of_host(ANY_SUBDOMAIN + host if below else host)


def digest_of_host(host: str) -> str:
    """SHA-256 of a host in normal form, or of `*.` and one, hex."""
    return hashlib.sha256(host.encode()).hexdigest()


def read_list(path: str, kind: str) -> list[Demand]:
    """One demand a line; empty lines and those that begin with `#` are none.

    Raises `DemandError` with file and line.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DemandError(f"{path}: cannot be read: {error}") from error
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            try:
                found.append(demand(kind, line.strip()))
            except ValueError as error:
                raise DemandError(f"{path}:{number}: {error}") from error
    return found


def parse_tombstones(data: bytes, name: str) -> list[Demand]:
    """The demands of a published list; raises `DemandError` with file and line."""
    found = []
    for number, line in enumerate(data.splitlines(), 1):
        try:
            found.append(_parsed(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DemandError(f"{name}:{number}: is no demand: {error}") from error
    return found


def _parsed(item: Mapping[str, Any]) -> Demand:
    found = Demand(item["kind"], item["value"], item.get("reason"), item["number"], item.get("date"))
    if found.kind not in KINDS:
        raise ValueError(f"unknown kind {found.kind!r}; known are {', '.join(KINDS)}")
    if len(bytes.fromhex(found.value)) != (32 if found.kind in ("url", "host") else 16):
        raise ValueError(f"the value of a {found.kind} has not this length")
    return found


def read_tombstones(storage: Storage) -> list[Demand]:
    """The run folder's demands in order; none where it has no list. Raises `StorageError` where it is broken."""
    if storage.size(TOMBSTONES) is None:
        return []
    try:
        return parse_tombstones(storage.read(TOMBSTONES), f"{storage.root}/{TOMBSTONES}")
    except DemandError as error:
        raise StorageError(str(error)) from error


def tombstone_bytes(demands: Iterable[Demand]) -> bytes:
    """The list as it is published: one JSON object a line, keys sorted."""
    lines = (json.dumps(item.to_json(), sort_keys=True, ensure_ascii=False) for item in demands)
    return "".join(line + "\n" for line in lines).encode()


def joined(known: Sequence[Demand], wanted: Iterable[Demand]) -> tuple[list[Demand], list[Demand]]:
    """(the whole list, those of `wanted` that are new): each demand once, the first of its kind stands."""
    seen = {item.identity for item in known}
    new = []
    for item in wanted:
        if item.identity not in seen:
            seen.add(item.identity)
            new.append(item)
    return [*known, *new], new
