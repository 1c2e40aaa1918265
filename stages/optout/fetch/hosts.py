"""The list of hosts to ask: one host, origin or URL a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from lauter.pipeline.origin import normalise

# Labels of letters, digits, hyphens and (which DNS has and browsers ask for) underscores, 63 at most (RFC 1035 section
# 2.3.4); or an IPv6 address. What a URL may hold besides is no name that anybody could look up.
_LOOKED_UP = re.compile(r"https?://(?:(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}|\[[0-9a-f:.]+\])(?::\d+)?").fullmatch
_USER = re.compile(r"[a-z]+://[^/?#]*@", re.IGNORECASE).match
_SHOWN = 200


def read_origins(lines: Iterable[str], rejected: list[str]) -> Iterator[str]:
    """Yield every origin of a list once, in normal form (`pipeline.origin.locate`), in the order of the lines.

    A bare host is https, as in snapshots. Empty lines and lines that start with `#` are passed over. A line that names
    no http or https origin that can be looked up is put into `rejected`: its number, a colon, and how to mend it. Holds
    all origins in memory: some 150 bytes each.
    """
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("\ufeff").strip()
        if not text or text.startswith("#"):
            continue
        bare = "://" not in text
        origin = normalise(f"https://{text}" if bare else text)
        # Who writes `user@host` or `host/path` without a scheme means something else, perhaps a path of a disk.
        if origin is None or not _LOOKED_UP(origin) or (bare and set(text) & set("/?#@")) or _USER(text):
            rejected.append(f"{number}: {text[:_SHOWN]!r} is no host; {_mended(text)}")
        elif origin not in seen:
            seen.add(origin)
            yield origin


def _mended(text: str) -> str:
    """What to write in place of a line that is none."""
    if "@" in text:
        return "leave out the user before @"
    scheme, mark, _ = text.partition("://")
    if mark and scheme.lower() not in ("http", "https"):
        return "only http and https are asked"
    return "write example.org or https://example.org"
