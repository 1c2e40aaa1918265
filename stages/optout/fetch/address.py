"""Which addresses may be connected to: only those that belong to the public Internet."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# IANA IPv4 Special-Purpose Address Registry (RFC 6890): every block that is not "globally reachable", and multicast.
_REFUSED_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # "this network": Linux connects 0.0.0.0 to itself
            "10.0.0.0/8",  # private, RFC 1918
            "100.64.0.0/10",  # carrier-grade NAT, RFC 6598; one cloud's metadata service at 100.100.100.200
            "127.0.0.0/8",  # loopback
            "169.254.0.0/16",  # link-local, RFC 3927; metadata services at 169.254.169.254
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments, RFC 6890; one cloud's metadata service at 192.0.0.192
            "192.0.2.0/24",  # documentation, RFC 5737
            "192.88.99.0/24",  # 6to4 relays, RFC 7526
            "192.168.0.0/16",  # private
            "198.18.0.0/15",  # benchmarking, RFC 2544
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast, RFC 5771
            "240.0.0.0/4",  # reserved, and the broadcast address
            "168.63.129.16/32",  # public by number, but one cloud's agent service for its own machines
        ),
    )
)
# IANA has given out global unicast addresses from this block only (RFC 4291 section 2.4), so loopback, unique local,
# link-local, site-local, multicast and IPv4-mapped addresses (::ffff:0:0/96) are outside.
_GLOBAL_V6 = IPv6Network("2000::/3")
# IANA IPv6 Special-Purpose Address Registry, within 2000::/3.
_REFUSED_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments: Teredo, which names an IPv4 address, and others
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4, which names an IPv4 address; deprecated by RFC 7526
            "3fff::/20",  # documentation, RFC 9637
        ),
    )
)
# RFC 6052 section 2.1: the last 32 bits are the IPv4 address that the gateway connects to.
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an address is global unicast, so that what answers there answers everybody.

    False for anything that is no address at all. An address behind the well-known NAT64 prefix is judged by the IPv4
    address in it; a network's own NAT64 prefix looks like any other address, and its gateway has to judge.

    >>> is_public("93.184.215.14"), is_public("169.254.169.254"), is_public("::ffff:127.0.0.1")
    (True, False, False)
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed in _NAT64:
        parsed = IPv4Address(int(parsed) & 0xFFFFFFFF)
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in _REFUSED_V4)
    return parsed in _GLOBAL_V6 and not any(parsed in network for network in _REFUSED_V6)
