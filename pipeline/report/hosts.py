"""Hosts of URL columns, and the registered domains they belong to. Each spelling is looked at once a batch."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc
from tldextract import TLDExtract

from lauter.pipeline.origin import normalise

_BEFORE_PATH = r"^(?P<start>[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*)"


def host(url: str) -> str | None:
    """The host that a URL names, in lower case, or None."""
    try:
        return urlsplit(url).hostname or None
    except ValueError:
        return None


@cache
def _public_suffixes() -> TLDExtract:
    """Reading the list takes 88 ms: once a process, not once a part of the corpus."""
    return TLDExtract(suffix_list_urls=(), cache_dir=None)


class Domains:
    """From URLs to registered domains (eTLD+1): what one owner registered, `example.co.uk` for `www.example.co.uk`.

    Suffixes are the public ones of the list bundled with tldextract (its private section, such as github.io, is not
    asked: the owner of a registered domain is who registered it). Nothing is fetched and no cache is kept.
    """

    def __init__(self) -> None:
        self._extract = _public_suffixes()

    def of_url(self, url: str) -> str | None:
        """The registered domain of an http(s) URL in A-labels; None for other URLs.

        Addresses, and names below no public suffix, have none: for them it is the host itself.

        >>> Domains().of_url("https://www.Example.co.uk:8080/page")
        'example.co.uk'
        """
        origin = normalise(url)
        if origin is None:
            return None
        name = origin.partition("://")[2]
        if name.startswith("["):
            return name.partition("]")[0] + "]"
        name = name.partition(":")[0]
        found = self._extract(name)
        return f"{found.domain}.{found.suffix}" if found.domain and found.suffix else name


def each(urls: pa.ChunkedArray, name: Callable[[str], str | None]) -> pa.StringArray:
    """`name` of every URL, shape (n,), null where there is none; asked once for what stands before the path.

    `name` must not depend on path, query or fragment.
    """
    start = pc.struct_field(pc.extract_regex(urls, _BEFORE_PATH), "start")
    # A URL of another form (no scheme, blanks in front) is asked as it is.
    encoded = pc.coalesce(start, urls).combine_chunks().dictionary_encode()
    names = pa.array([name(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return names.take(encoded.indices)
