"""The normal form of a URL by which two documents are the same page."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from lauter.pipeline.origin import locate


def same_page(url: str) -> str:
    """The part of a URL that names a page: what `origin.locate` makes of it, without http:// or https://.

    Host in lower case, as IDNA labels and without a dot behind it, no user-info, no default port, no fragment, an empty
    path as /; white space around is dropped, tabs and line ends anywhere. http and https are one; nothing else is
    folded, neither query parameters nor a slash at the end. What has no http(s) origin stays as it is but for the
    fragment.

    >>> same_page("HTTP://Me@Example.org:80?utm_source=a#top"), same_page("urn:isbn:1#2")
    ('example.org/?utm_source=a', 'urn:isbn:1')
    """
    place = locate(url)
    if place is None:
        return url.partition("#")[0]
    return place.origin.partition("://")[2] + place.target


def url_hashes(urls: pa.Array[Any]) -> NDArray[np.uint64]:
    """XXH3-64 of each URL's `same_page`, shape (n,); 0 for null and for an empty URL. Any bytes are taken."""
    hashes = np.zeros(len(urls), np.uint64)
    for row, raw in enumerate(urls.cast(pa.binary()).to_pylist()):
        if raw:
            hashes[row] = xxhash.xxh3_64_intdigest(
                same_page(raw.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
            )
    return hashes
