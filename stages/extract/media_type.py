"""Which payloads are HTML, which are plain text, and which are neither."""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["html", "plain"]

_KINDS: dict[str, Kind] = {"text/html": "html", "application/xhtml+xml": "html", "text/plain": "plain"}
_UNKNOWN = frozenset(("", "application/octet-stream", "application/unknown", "unknown/unknown", "*/*"))
"""Types that say nothing (WHATWG MIME Sniffing, section 7, and the two that servers send by default)."""

_SNIFF_BYTES = 1445
"""The resource header of MIME Sniffing, section 5."""
_TAGS = "!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p"
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?[\t\n\f\r ]*(?:<!--|<\?xml|<(?:%s)[ >])" % _TAGS.encode(), re.IGNORECASE)


def kind_of(media_type: str | None, payload: bytes) -> Kind | None:
    """How to read a payload, None for what is no page. Only where no type is given do the bytes decide (section 7.1).

    >>> kind_of("Text/HTML; charset=utf-8", b""), kind_of(None, b"<!doctype html><p>"), kind_of("image/png", b"<html>")
    ('html', 'html', None)
    """
    essence = (media_type or "").partition(";")[0].strip().lower()
    if essence in _UNKNOWN:
        return "html" if _MARKUP.match(payload[:_SNIFF_BYTES]) else None
    return _KINDS.get(essence)
