"""Hardware addresses of network interfaces (EUI-48, IEEE 802), which are not every run of hexadecimal pairs."""

from __future__ import annotations

import re
from functools import lru_cache

from lauter.stages.pii.recogniser import Hit

_PAIR = "[0-9A-Fa-f]{2}"
_QUAD = "[0-9A-Fa-f]{4}"
_LEFT, _RIGHT = r"(?<![0-9A-Za-z:.\-])", r"(?![0-9A-Za-z:\-]|\.[0-9A-Za-z])"

PATTERNS = (
    rf"{_LEFT}{_PAIR}([:\-])(?:{_PAIR}\1){{4}}{_PAIR}{_RIGHT}",
    rf"{_LEFT}{_QUAD}\.{_QUAD}\.{_QUAD}{_RIGHT}",
)
"""Six pairs (IEEE 802, section 8.1), or three groups of four as Cisco prints them; fingerprints of keys are longer."""

_CUE = re.compile(
    r"(?i)(?:\bmac\b|\bmac-|hw_?addr|ether\b|\bb?ssid|hardware.?addr|physical.?addr|link.?addr|lladdr|ethernet|wi-?fi|bluetooth|"
    r"interface|\barp\b|dhcp|\bnic\b|adresse? mac|dirección mac|mac-?адрес|物理地址|物理アドレス)"
)


def refine(hit: Hit) -> tuple[int, int] | None:
    """Take an address of one interface: not a group address, all zeros, or one of the range for documentation.

    Where no word before or behind it says what it is, its first three octets must be a manufacturer's in the registry
    of the IEEE (35,000 of 16.8 million, so that one random number in 500 passes), and a letter must be among its digits
    (clock times and dates have none).
    """
    octets = bytes.fromhex(re.sub("[:.-]", "", hit.text))
    if octets[0] & 1 or not any(octets) or octets[:5] == bytes.fromhex("00005e0053"):  # RFC 7042, section 2.1.2
        return None
    if _CUE.search(hit.before) or _CUE.match(hit.after[:16].lstrip(" ()[],")):
        return 0, len(hit.text)
    if len(hit.text) == 14 or not re.search("[A-Fa-f]", hit.text):
        return None
    return (0, len(hit.text)) if _is_registered(octets.hex(":")) else None


@lru_cache(1 << 12)
def _is_registered(address: str) -> bool:
    from stdnum.mac import is_valid

    return bool(is_valid(address, validate_manufacturer=True))
