"""Addresses of crypto currencies, by their own checks: Base58Check, Bech32, and Ethereum's capital letters."""

from __future__ import annotations

import hashlib
import re

from lauter.stages.pii.recogniser import Hit

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_EDGE, _END = "(?<![0-9A-Za-z])", "(?![0-9A-Za-z])"
_BASE58_BODY = "[1-9A-HJ-NP-Za-km-z]"
_BECH32_BODY = "[02-9ac-hj-np-z]"

SHORT = rf"{_EDGE}(?:[13]{_BASE58_BODY}{{25,34}}|bc1{_BECH32_BODY}{{11,71}}){_END}"
"""Bitcoin addresses: Base58Check, and Bech32 of BIP 173 and BIP 350 (at most 74 characters)."""
LONG = (
    rf"{_EDGE}(?:0x[0-9A-Fa-f]{{40}}|BC1{_BECH32_BODY.upper()}{{38,71}}|ltc1{_BECH32_BODY}{{38,71}}|"
    rf"[LMDX]{_BASE58_BODY}{{25,34}}|T{_BASE58_BODY}{{33}}){_END}"
)
"""Ethereum and its kin; Bech32 in capitals; Litecoin, Dogecoin, Dash and Tron in Base58Check."""

_VERSIONS = {"1": {0x00}, "3": {0x05}, "L": {0x30}, "M": {0x32}, "D": {0x1E}, "X": {0x4C}, "T": {0x41}}
"""First letter -> version byte (the networks' own parameters, `base58Prefixes`)."""


def refine(hit: Hit) -> tuple[int, int] | None:
    """Take an address whose check holds; a hexadecimal one only where its capitals are a check or words name it."""
    return (0, len(hit.text)) if is_wallet(hit.text, hit.before) else None


_CUE = re.compile(r"(?i)(?:\beth\b|ether|wallet|address|0x-?addr|donat|erc-?20|metamask|account|кошел|钱包|адрес)")


def is_wallet(text: str, before: str) -> bool:
    """Whether a text is an address of a wallet.

    >>> is_wallet("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "")
    True
    >>> is_wallet("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", "")
    False
    """
    if text.startswith("0x"):
        digits = text[2:]
        if digits.lower() == digits or digits.upper() == digits:
            return bool(_CUE.search(before)) and len(set(digits)) > 4
        return digits == capitals(digits)
    if text[:3].lower() in ("bc1", "ltc"):
        return is_bech32(text.lower())
    version = base58check(text)
    return version is not None and len(version) == 21 and version[0] in _VERSIONS.get(text[0], ())


def base58check(text: str) -> bytes | None:
    """The bytes of a Base58Check text without their four check bytes (double SHA-256), or None.

    Source: Bitcoin's `base58.cpp`; each leading `1` is a zero byte.
    """
    number = 0
    for character in text:
        place = BASE58.find(character)
        if place < 0:
            return None
        number = number * 58 + place
    zeros = len(text) - len(text.lstrip("1"))
    raw = b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
    if len(raw) < 5 or hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()[:4] != raw[-4:]:
        return None
    return raw[:-4]


def is_bech32(text: str) -> bool:
    """Whether the checksum holds as Bech32 (BIP 173) or Bech32m (BIP 350)."""
    prefix, _, data = text.rpartition("1")
    values = [ord(character) >> 5 for character in prefix] + [0] + [ord(character) & 31 for character in prefix]
    values += [_BECH32.find(character) for character in data]
    state = 1
    for value in values:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(_GENERATOR):
            state ^= generator if top >> place & 1 else 0
    return bool(prefix) and len(data) >= 6 and state in (1, 0x2BC830A3)


def capitals(digits: str) -> str:
    """Forty hexadecimal digits with the capitals of EIP-55: where the Keccak-256 of the small ones has 8 or more."""
    lower = digits.lower()
    digest = keccak256(lower.encode()).hex()
    return "".join(
        letter.upper() if int(nibble, 16) >= 8 else letter for letter, nibble in zip(lower, digest, strict=False)
    )


_MASK = (1 << 64) - 1
_ROTATIONS = (
    (0, 36, 3, 41, 18), (1, 44, 10, 45, 2), (62, 6, 43, 15, 61), (28, 55, 25, 21, 56), (27, 20, 39, 8, 14),
)  # fmt: skip


def keccak256(message: bytes) -> bytes:
    """Keccak-256 with the padding of 2011, which Ethereum uses; `hashlib.sha3_256` has that of FIPS 202.

    Source: the Keccak reference, version 3.0, sections 1.2 and 1.3: rate 136 bytes, 24 rounds.
    """
    rate = 136
    padded = bytearray(message + b"\x01" + b"\0" * (-(len(message) + 1) % rate))
    padded[-1] |= 0x80
    lanes = [[0] * 5 for _ in range(5)]
    for block in range(0, len(padded), rate):
        for place in range(rate // 8):
            start = block + 8 * place
            lanes[place % 5][place // 5] ^= int.from_bytes(padded[start : start + 8], "little")
        _permute(lanes)
    return b"".join(lanes[place % 5][place // 5].to_bytes(8, "little") for place in range(4))


def _permute(lanes: list[list[int]]) -> None:
    register = 1
    for _ in range(24):
        columns = [lanes[x][0] ^ lanes[x][1] ^ lanes[x][2] ^ lanes[x][3] ^ lanes[x][4] for x in range(5)]
        for x in range(5):
            change = columns[x - 1] ^ _rotated(columns[(x + 1) % 5], 1)
            for y in range(5):
                lanes[x][y] ^= change
        moved = [[0] * 5 for _ in range(5)]
        for x in range(5):
            for y in range(5):
                moved[y][(2 * x + 3 * y) % 5] = _rotated(lanes[x][y], _ROTATIONS[x][y])
        for x in range(5):
            for y in range(5):
                lanes[x][y] = moved[x][y] ^ (~moved[(x + 1) % 5][y] & moved[(x + 2) % 5][y] & _MASK)
        # Round constants: seven bits of a linear feedback register, at places 2^j - 1.
        for power in range(7):
            if register & 1:
                lanes[0][0] ^= 1 << ((1 << power) - 1)
            register = register << 1 ^ (0x171 if register & 0x80 else 0)


def _rotated(value: int, count: int) -> int:
    return ((value << count) | (value >> (64 - count))) & _MASK if count else value
