"""IP addresses: which of them lie in the public range, and which dotted quads are versions or section numbers."""

from __future__ import annotations

import ipaddress
import re

from lauter.stages.pii.recogniser import Hit, Refine

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"

IPV4_PATTERN = (
    rf"(?<![0-9A-Za-z_.])(?:{_OCTET}\.){{3}}{_OCTET}(?:/(?:3[0-2]|[12]?[0-9]))?(?![0-9A-Za-z_]|\.[0-9A-Za-z])"
)
"""A dotted quad that is not part of a longer dotted name or number, with its prefix length."""

IPV6_PATTERN = (
    r"(?<![0-9A-Za-z_:.])(?=[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:]{2,39}(?:(?<=:)[0-9]{1,3}(?:\.[0-9]{1,3}){3})?"
    r"(?:%[0-9A-Za-z]{1,15})?(?:/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9]))?(?![0-9A-Za-z_:]|\.[0-9])"
)
"""Text in the form of RFC 4291, section 2.2; the parser decides."""

_SPECIAL_IPV4 = tuple(
    (int(ipaddress.IPv4Network(network).network_address), int(ipaddress.IPv4Network(network).netmask))
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    )
)
"""IANA IPv4 Special-Purpose Address Registry (RFC 6890) and multicast (RFC 5771), as (network, mask). Written out
because the answer of `ipaddress.is_global` changed between releases of Python 3.11."""

_SPECIAL_IPV6_PREFIXES = ("2001:db8::/32", "2001:2::/48", "2001:10::/28", "2001:20::/28", "3fff::/20")
_SPECIAL_IPV6 = tuple(ipaddress.IPv6Network(network) for network in _SPECIAL_IPV6_PREFIXES)
"""Documentation and identifier prefixes inside 2000::/3 (IANA IPv6 Special-Purpose Address Registry)."""
_PROVIDER_BITS = 32
"""A registry gives a provider a block of so many bits (RIPE-738, section 5.1): it is nobody's own."""
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that IANA has given out (RFC 4291, section 2.4). Rules out `std::`, clock times and hardware addresses too."""
_EMBEDDED_IPV4 = (ipaddress.IPv6Network("::ffff:0:0/96"), ipaddress.IPv6Network("64:ff9b::/96"))
"""IPv4-mapped addresses and the NAT64 prefix (RFC 6052): the last 32 bits decide."""

SMALL = (32, 32, 100, 100)
"""Four numbers below these are taken for a version unless a cue says address: 32 * 32 * 100 * 100 / 2 ** 32 = 0.24 % of
all addresses look like that, and nearly all four-part versions do."""

_CUE_LENGTH = 40
"""Cues are looked for in this many code points before a quad."""
_VERSION_CUE = re.compile(
    r"(?:\b(?:versions?|ver|v|releases?|rel|revision|rev|builds?|firmware|driver|standards?|sections?|sec|sect|chapter|"
    r"clause|article|paragraph|para|appendix|annex|item|table|figure|fig|step|exercise|theorem|lemma|definition|"
    r"example|versi[oó]n|versione|vers[aã]o|versie|wersja|wersji|verze|verzió|sürüm|версия|версии|версію|abschnitt|"
    r"kapitel|artikel|cap[ií]tulo|chapitre|раздел|глава|пункт)\b|版本|バージョン|버전|版|§)[\s.:#=(\"'v-]{0,8}\Z|"
    r"\b(?:bump|upgrad|updat|downgrad)(?:es?|ed|ing)?(?: [\w.+-]+)? (?:to|from) \Z",
)
_ADDRESS_CUE = re.compile(
    r"(?:(?<![A-Za-z])(?:ips?|ipv4|ip4|inet|ip-?addr|addr|address(?:es)?|adresse|indirizzo|direcci[oó]n|hosts?|hostname|"
    r"servers?|gateway|dns|nameservers?|netmask|subnet|proxy|clients?|remote|peers?|ping|traceroute|ssh|telnet|"
    r"connect(?:ed|ing)?|whois|endpoint|banned|blocked|user|visitor)(?![A-Za-z])|адрес|地址|アドレス)[^\n]{0,24}\Z|"
    r"(?:://|@|\[|\bfrom |\b(?:runs?|running|hosted|listens?|listening|reachable) (?:on|at) )\Z",
)
_RANGE = re.compile(r"\s+to\s+v?[0-9]+\.")
"""Behind `from 2.3.4.5`: the range of an upgrade."""
_RESOLVERS = frozenset({"8.8.8.8", "8.8.4.4", "9.9.9.9"})
"""Public resolvers of names that no version or section has: each is written far more often as an address."""
_COMPARISON = re.compile(r"[<>=!~]=\s*\Z|(?:\A|[\s(\"'])[A-Za-z][\w.+-]*[/-]\Z")
"""`package>=`, and the product token before a slash (RFC 9110, section 10.1.5) or a dash."""
_DEBIAN = re.compile(r"(?:[-+~][\w.+~-]*)?\)[\w .-]*;")
"""The rest of a changelog's head line after `package (1.2.3.4` (Debian Policy, section 4.4)."""
_PACKAGE = re.compile(r"(?:\A|\s)[a-z0-9][a-z0-9+.-]+ \((?:[0-9]+:)?\Z")
_REVISION = re.compile(r"[-+~](?!\d{1,3}\.)[\w]")
_PORT_OR_PREFIX = re.compile(r":[0-9]{2,5}\b")


def refine_ipv4(*, public_only: bool) -> Refine:
    """Take a dotted quad unless it is a version or, with `public_only`, in a range that names no one."""

    def decide(hit: Hit) -> tuple[int, int] | None:
        address = ipaddress.IPv4Address(hit.text.partition("/")[0])
        if public_only and not is_public(address):
            return None
        return None if is_version(hit.before, hit.text, hit.after) else (0, len(hit.text))

    return decide


def refine_ipv6(*, public_only: bool) -> Refine:
    """Take what parses as an IPv6 address, outside the public range only if `public_only` is false."""

    def decide(hit: Hit) -> tuple[int, int] | None:
        try:
            interface = ipaddress.IPv6Interface(hit.text)
        except ValueError:
            return None
        block = interface.ip == interface.network.network_address and interface.network.prefixlen <= _PROVIDER_BITS
        if public_only and (block or not is_public(interface.ip)):
            return None
        return 0, len(hit.text)

    return decide


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address can be somebody's on the internet.

    >>> is_public(ipaddress.ip_address("8.8.8.8")), is_public(ipaddress.ip_address("192.168.0.1"))
    (True, False)
    """
    if isinstance(address, ipaddress.IPv4Address):
        number = int(address)
        return not any(number & mask == network for network, mask in _SPECIAL_IPV4)
    if any(address in network for network in _EMBEDDED_IPV4):
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _GLOBAL_UNICAST and not any(address in network for network in _SPECIAL_IPV6)


def is_version(before: str, match: str, after: str) -> bool:
    """Whether a dotted quad numbers a release or a section, by the words around it and the size of its numbers.

    >>> is_version("Version ", "1.7.3.1", "; changes"), is_version("Connect to server ", "1.7.3.1", "")
    (True, False)
    """
    quad, _, prefix = match.partition("/")
    words = before[-_CUE_LENGTH:].lower()
    if _VERSION_CUE.search(words) or _COMPARISON.search(before):
        return True
    if _DEBIAN.match(after) and _PACKAGE.search(before):
        return True
    octets = [int(octet) for octet in quad.split(".")]
    reserved = not any(octets) or (octets[0] and not is_public(ipaddress.IPv4Address(quad)))
    small = not reserved and all(octet < bound for octet, bound in zip(octets, SMALL, strict=True))
    if _REVISION.match(after) and (small or after[1:2].isalpha()):
        return True
    if prefix or quad in _RESOLVERS or _PORT_OR_PREFIX.match(after):
        return False
    if _ADDRESS_CUE.search(words) and not (words.endswith("from ") and _RANGE.match(after)):
        return False
    return small
