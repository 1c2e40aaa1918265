"""Near spellings of a URL or a host: other names under which the same page may stand in a ledger."""

from __future__ import annotations

from lauter.pipeline.origin import locate, normalise, relatives


def near_urls(url: str) -> tuple[str, ...]:
    """The URL with the other scheme, with or without `www.`, and with or without a slash at the end of its path.

    Most alike first. A text without a scheme is read as the https and the http URL, which then are the first; where no
    host can be read there is none.

    >>> near_urls("https://example.org/a")[:3]
    ('https://example.org/a/', 'http://example.org/a', 'http://example.org/a/')
    >>> near_urls("example.org")[:2]
    ('https://example.org/', 'https://www.example.org/')
    """
    place = locate(url)
    own = place is not None
    if place is None:
        place = locate(f"https://{url}") if "://" not in url else None
    if place is None:
        return ()
    path, mark, query = place.target.partition("?")
    targets = [place.target]
    if path != "/":
        targets.append((path.removesuffix("/") if path.endswith("/") else path + "/") + mark + query)
    origins = (place.origin, *relatives(place.origin, scheme=True, www=True))
    if not own:
        origins = tuple(sorted(origins, key=lambda origin: not origin.startswith("https:")))
    found = tuple(origin + target for origin in origins for target in targets)
    return found[1:] if own else found


def near_hosts(host: str) -> tuple[str, ...]:
    """The host with or without `www.`, in normal form.

    >>> near_hosts("www.example.org"), near_hosts("example.org"), near_hosts("[::1]")
    (('example.org',), ('www.example.org',), ())
    """
    origin = normalise(f"http://{host}")
    others = relatives(origin, scheme=False, www=True) if origin else ()
    return tuple(other.partition("://")[2] for other in others)
