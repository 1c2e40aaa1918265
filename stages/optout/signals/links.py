"""Links with attributes in the form of the Link header (RFC 8288 section 3)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

RSL_TYPE = "application/rsl+xml"

_PARAMETER = r"""\s*;\s*([^\s=;,"]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?"""
_LINK = re.compile(rf"<([^<>]*)>((?:{_PARAMETER.replace('(', '(?:').replace('(?:?:', '(?:')})*)")
_PARAMETERS = re.compile(_PARAMETER)


class Link(NamedTuple):
    """One link of a header."""

    text: str
    """As written."""
    url: str
    parameters: Mapping[str, str]
    """Names in lower case; of a repeated one the first counts."""


def links(value: str) -> Iterator[Link]:
    """The links of a header value; what is none is read past.

    >>> [(one.url, one.parameters["rel"]) for one in links('<a,b>; rel="license", <c>; rel=next; title="x, <d>"')]
    [('a,b', 'license'), ('c', 'next')]
    """
    for link in _LINK.finditer(value):
        parameters: dict[str, str] = {}
        for one in _PARAMETERS.finditer(link[2]):
            quoted = re.sub(r"\\(.)", r"\1", one[2] or "")
            parameters.setdefault(one[1].lower(), quoted or one[3] or "")
        yield Link(link[0], link[1].strip(), parameters)


def has_relation(rel: str, name: str) -> bool:
    """Whether a `rel` value, a list between spaces, has a relation."""
    return name in rel.lower().split()


def written(url: str, media_type: str) -> str:
    """A link of a page as one value: the URL alone, or with its type in the form of the header."""
    return f'<{url}>; type="{media_type}"' if media_type else url


def read(value: str) -> tuple[str, str]:
    """URL and type (lower case, without parameters) of what `written` or a Link header wrote."""
    link = next(links(value), None) if value.startswith("<") else None
    if link is None:
        return value, ""
    return link.url, link.parameters.get("type", "").partition(";")[0].strip().lower()
