"""URLs to origins: the unit to which a robots.txt applies (RFC 9309 section 2.3, RFC 6454)."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import idna
import xxhash

_DEFAULT_PORT = {"http": 80, "https": 443}

# Crawled URLs are spelled like this already (4,154 of 4,154 test pages): nothing to normalise but the fragment.
_PLAIN = re.compile(r"(https?://(?:[a-z0-9_-]+\.)+[a-z0-9_-]+)(/[^#\x00-\x20]*)?(?:#.*)?").fullmatch
_SPLIT = re.compile(r"(https?)://([^/?#]*)([^#]*)", re.IGNORECASE).match
_AUTHORITY = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*").match
# Python refuses to read numbers of more than 4,300 digits; zeros in front are no matter.
_PORT = re.compile(r"(.*?)(?::0*?([0-9]{0,5}))?", re.DOTALL).fullmatch
# The code points that WHATWG URL ("forbidden domain code point") and DNS both refuse, and the upper-case letters.
_HOST = re.compile(r"[^\x00-\x20#%/:<>?@\[\\\]^|`{}\"\x7fA-Z]+").fullmatch
_C0_AND_SPACE = "".join(map(chr, range(33)))


class Location(NamedTuple):
    """Where a URL points: its origin, and what the rules of that origin's robots.txt are matched against."""

    origin: str
    """`scheme://host` or `scheme://host:port`, in the normal form of `normalise`."""
    target: str
    """Path and query as written, without the fragment; starts with `/`."""


def locate(url: str) -> Location | None:
    """Split a URL into its normalised origin and its target; None for a URL without an http(s) origin.

    Normal form: scheme and host in lower case, host as IDNA A-labels (UTS 46, non-transitional), IPv6 compressed in
    brackets, no user-info, no trailing dot, no default port. A backslash in the authority is refused, because readers
    disagree on which host it names.

    >>> locate("HTTPS://me@Bücher.Example.:443?q#top")
    Location(origin='https://xn--bcher-kva.example', target='/?q')
    """
    plain = _PLAIN(url)
    if plain:
        return Location(plain[1], plain[2] or "/")
    # As every browser does (WHATWG URL section 4.4): white space around is dropped, tabs and line ends anywhere.
    url = url.strip(_C0_AND_SPACE).translate({9: None, 10: None, 13: None})
    parts = _SPLIT(url)
    if parts is None:
        return None
    scheme = parts[1].lower()
    authority = parts[2].rpartition("@")[2]
    if "\\" in parts[2]:
        return None
    host_port = _PORT(authority)
    if host_port is None:
        return None
    host = _host(host_port[1])
    if host is None:
        return None
    origin = f"{scheme}://{host}"
    if host_port[2]:
        port = int(host_port[2])
        if port > 65535:
            return None
        if port != _DEFAULT_PORT[scheme]:
            origin += f":{port}"
    target = parts[3]
    return Location(origin, target if target.startswith("/") else "/" + target)


def normalise(url: str) -> str | None:
    """The origin of a URL in normal form (see `locate`), or None where there is no http(s) origin."""
    location = locate(url)
    return location.origin if location else None


def target_of(url: str) -> str:
    """What rules are matched against for any URL, or for a bare path: path and query, starting with `/`.

    >>> target_of("ftp://example.org"), target_of("/a?b#c"), target_of("//example.org/a")
    ('/', '/a?b', '/a')
    """
    rest = url.strip(_C0_AND_SPACE).translate({9: None, 10: None, 13: None}).partition("#")[0]
    authority = _AUTHORITY(rest)
    rest = rest[authority.end() :] if authority else rest
    return rest if rest.startswith("/") else "/" + rest


def resolve_dots(target: str) -> str:
    r"""A target without dot segments, resolved as in WHATWG URL section 4.4: `\` is a slash, `%2e` a dot.

    >>> resolve_dots("/pub/../a/%2E/b\\c?x/../y")
    '/a/b/c?x/../y'
    """
    path, mark, query = target.partition("?")
    kept: list[str] = []
    parts = path.replace("\\", "/").split("/")[1:]
    for i, part in enumerate(parts):
        plain = part.replace("%2e", ".").replace("%2E", ".") if len(part) <= len("%2e%2e") else part
        if plain == ".." and kept:
            kept.pop()
        if plain not in (".", ".."):
            kept.append(part)
        elif i == len(parts) - 1:
            kept.append("")
    return "/" + "/".join(kept) + mark + query


def origin_id(origin: str) -> int:
    """The 64-bit id of a normalised origin: XXH3-64 of its ASCII bytes. Not collision-free: compare the strings too."""
    return xxhash.xxh3_64_intdigest(origin.encode("utf-8", "surrogatepass"))


def relatives(origin: str, *, scheme: bool, www: bool) -> tuple[str, ...]:
    """The other names under which a snapshot may hold the same site, most alike first.

    `scheme` swaps http and https (default ports only), `www` adds or takes away a leading `www.`.

    >>> relatives("http://example.org", scheme=True, www=True)
    ('https://example.org', 'http://www.example.org', 'https://www.example.org')
    """
    name, _, host = origin.partition("://")
    other = {"http": "https", "https": "http"}[name]
    schemes = (name, other) if scheme and not re.search(r":\d+$", host) else (name,)
    hosts = [host]
    # An address has no www; a name with it taken away must still be a name.
    if www and host.startswith("www.") and "." in host[4:]:
        hosts.append(host[4:])
    elif www and not re.match(r"www\.|\[|[\d.]+(?::\d+)?$", host):
        hosts.append("www." + host)
    return tuple(f"{s}://{h}" for h in hosts for s in schemes)[1:]


def _host(host: str) -> str | None:
    if host.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(host.removeprefix('[').removesuffix(']')).compressed}]"
        except ValueError:
            return None
    if "%" in host:
        try:
            host = unquote_to_bytes(host).decode()
        except UnicodeDecodeError:
            return None
    if not host.isascii():
        try:
            # Mapping only: real names that IDNA 2008 refuses (emoji) are fetched by every crawler.
            mapped = idna.uts46_remap(host, std3_rules=False, transitional=False)
            host = ".".join(
                label if label.isascii() else "xn--" + label.encode("punycode").decode() for label in mapped.split(".")
            )
        except (idna.IDNAError, UnicodeError):
            return None
    host = host.lower().removesuffix(".")
    if not _HOST(host) or ".." in host or host.startswith("."):
        return None
    return host
