"""The list of hosts to ask: one host, origin or URL a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lauter.pipeline.origin import normalise


def read_origins(lines: Iterable[str], rejected: list[str]) -> Iterator[str]:
    """Yield every origin of a list once, in normal form (`pipeline.origin.locate`), in the order of the lines.

    A bare host is https, as in snapshots. Empty lines and lines that start with `#` are passed over. A line that names
    no http or https origin is put into `rejected` with its number. Holds all origins in memory: some 150 bytes each.
    """
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("\ufeff").strip()
        if not text or text.startswith("#"):
            continue
        bare = "://" not in text
        # Who writes `user@host` or `host/path` without a scheme means something else, perhaps a path of a disk.
        origin = None if bare and set(text) & set("/?#@") else normalise(f"https://{text}" if bare else text)
        if origin is None:
            rejected.append(f"line {number}: {text[:200]!r}")
        elif origin not in seen:
            seen.add(origin)
            yield origin
