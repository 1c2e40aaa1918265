"""Plain files as a snapshot: a folder of robots.txt and kin, told by their paths."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lauter.pipeline.origin import locate
from lauter.stages.optout.snapshot.answer import Fetched, FileKind


class Place(NamedTuple):
    """Whose file it is, and which."""

    origin: str
    kind: FileKind


def place_of(path: str) -> Place | None:
    """The origin (https) and kind of a plain file by its path; None for any other file.

    `HOST/robots.txt`, `HOST/.well-known/tdmrep.json`, `HOST/ai.txt`, or `HOST.txt` for a robots.txt. A host has a dot.

    >>> place_of("crawl/example.org/ai.txt"), place_of("crawl/example.org.txt"), place_of("crawl/notes.txt")
    (Place(origin='https://example.org', kind='ai.txt'), Place(origin='https://example.org', kind='robots.txt'), None)
    """
    parts = Path(path).parts
    name = parts[-1] if parts else ""
    kind: FileKind = "robots.txt"
    host: tuple[str, ...] = ()
    if name in ("robots.txt", "ai.txt"):
        host, kind = parts[-2:-1], "ai.txt" if name == "ai.txt" else "robots.txt"
    elif parts[-2:] == (".well-known", "tdmrep.json"):
        host, kind = parts[-3:-2], "tdmrep.json"
    elif name.endswith(".txt"):
        host = (name.removesuffix(".txt"),)
    if not host or "." not in host[0].strip(".") or set(host[0]) & set("/?#@\\"):
        return None
    found = locate(f"https://{host[0]}")
    return Place(found.origin, kind) if found else None


def read_plain(path: str) -> Iterator[Fetched]:
    """The one answer of a plain file, without a date or a status. Raises OSError if it cannot be opened."""
    place = place_of(path)
    if place:
        yield Fetched(place.origin, None, None, Path(path).read_bytes(), kind=place.kind)
