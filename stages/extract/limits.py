"""Limits on a page that give the same answer on every machine: bytes, elements, depth."""

from __future__ import annotations

from typing import Literal

from lauter.stages.extract.markup import Markup

LimitReason = Literal["html-too-large", "html-too-many-nodes", "html-too-deep"]


def over_limit(markup: Markup, *, max_nodes: int, max_depth: int) -> LimitReason | None:
    """Which limit a scanned page passes, if any. Depth is asked last: a scan that stopped there knows no full count."""
    if markup.elements > max_nodes:
        return "html-too-many-nodes"
    return "html-too-deep" if markup.depth > max_depth else None
