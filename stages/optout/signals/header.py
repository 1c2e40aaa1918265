"""Statements in the header block of a response."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lauter.stages.optout.signals.links import has_relation, links
from lauter.stages.optout.signals.raw import PageSignal

_NAMES = b"content-usage|content-signal|tdm-reservation|tdm-policy|x-robots-tag|link"
_ANY = re.compile(rb"^(?:%s)[ \t]*:" % _NAMES, re.IGNORECASE | re.MULTILINE).search
_FIELD = re.compile(rb"(%s)[ \t]*:(.*)" % _NAMES, re.IGNORECASE | re.DOTALL).fullmatch


def header_signals(block: bytes) -> Iterator[PageSignal]:
    """The fields that say something of use, in order; of Link only the links with rel=license.

    `block` may begin with a status line. Positions are 1-based lines of the block; folded lines belong to the first of
    them (RFC 9112 section 5.2). Field names stand at the start of a line (5.1).
    """
    if not _ANY(block):
        return
    folded: list[tuple[int, list[bytes]]] = []
    for number, line in enumerate(block.split(b"\n"), 1):
        if line[:1] in (b" ", b"\t") and folded:
            folded[-1][1].append(line.strip())
        else:
            folded.append((number, [line.rstrip()]))
    for number, parts in folded:
        field = _FIELD(b" ".join(parts))
        if field is None:
            continue
        name, value = field[1].decode().lower(), field[2].decode("utf-8", "replace").strip()
        if name != "link":
            yield PageSignal("header", name, value, number)
            continue
        for link in links(value):
            if has_relation(link.parameters.get("rel", ""), "license"):
                yield PageSignal("header", "license", link.text, number)
