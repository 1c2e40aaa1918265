"""What may stand in place of personal data instead of a placeholder: an invented value of the same form.

It is drawn from the seed of the corpus, the document's id and the value's number among those of the document, and from
nothing of the value but its form: who knows a surrogate knows nothing of what stood there. It lies in a range that is
reserved for examples, or its check digits are wrong, so that it can't be anybody's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping

from lauter.stages.pii.card import is_card
from lauter.stages.pii.iban import is_iban
from lauter.stages.pii.national_id import FORMATS, validator

_SYLLABLES = ("ba", "den", "fi", "gor", "hal", "ka", "lin", "mo", "nel", "ra", "sol", "ti", "ver", "wen")
_HOSTS = ("example.com", "example.net", "example.org")
"""RFC 2606, section 3."""
_NETS = ("192.0.2.", "198.51.100.", "203.0.113.")
"""RFC 5737, section 3."""
_AREAS = ("202", "212", "305", "415", "512", "617", "702", "808")
_CAPITALS, _SMALL, _DIGITS = "ABCDEFGHJKLMNPRSTUVWXYZ", "abcdefghijkmnopqrstuvwxyz", "0123456789"


class Draw:
    """Numbers below a bound, one after another, from a key (BLAKE2b in counter mode)."""

    def __init__(self, *key: bytes | int | str) -> None:
        self._key = b"\0".join(part if isinstance(part, bytes) else str(part).encode() for part in key)
        self._count = 0

    def below(self, bound: int) -> int:
        """The next number; 64 bits to a bound of a few dozen, so its bias is below 1e-17."""
        self._count += 1
        digest = hashlib.blake2b(self._key + b"\0" + str(self._count).encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little") % bound

    def of(self, choices: str | tuple[str, ...]) -> str:
        """The next of some choices."""
        return choices[self.below(len(choices))]


def surrogate(kind: str, text: str, draw: Draw) -> str:
    """An invented value for personal data of a type.

    >>> surrogate("ip", "8.8.8.8", Draw(0)).rpartition(".")[0] in ("192.0.2", "198.51.100", "203.0.113")
    True
    """
    make = _MAKERS.get(kind)
    if make is None:
        return _alike(text, draw, lambda _: True)
    return make(text, draw)


def _email(_text: str, draw: Draw) -> str:
    return f"{_word(draw)}.{_word(draw)}@{draw.of(_HOSTS)}"


def _word(draw: Draw) -> str:
    return draw.of(_SYLLABLES) + draw.of(_SYLLABLES)


def _ip(text: str, draw: Draw) -> str:
    prefix = text[text.index("/") :] if "/" in text else ""
    if ":" in text:
        return "2001:db8:" + ":".join(f"{draw.below(65_536):x}" for _ in range(6)) + prefix  # RFC 3849
    return f"{draw.of(_NETS)}{draw.below(256)}{prefix}"


def _mac(text: str, draw: Draw) -> str:
    digits = iter(f"00005e0053{draw.below(256):02x}")  # RFC 7042, section 2.1.2
    return re.sub("[0-9A-Fa-f]", lambda _: next(digits), text)


def _phone(_text: str, draw: Draw) -> str:
    # 555-0100 to 555-0199 in every area are given to nobody (NANPA, 555 line numbers).
    return f"+1 {draw.of(_AREAS)}-555-01{draw.below(100):02d}"


def _iban(text: str, draw: Draw) -> str:
    # Check digits lie between 02 and 98 (ISO 13616-1, section 6): with 00 it is no number of any bank.
    head = re.match(r"([A-Za-z]{2}[^0-9A-Za-z]*)([0-9])([^0-9A-Za-z]*)([0-9])", text)
    if head is None:
        return _alike(text, draw, lambda made: not is_iban(re.sub("[^0-9A-Za-z]", "", made)))
    return f"{head[1]}0{head[3]}0{_drawn(text[head.end() :], draw)}"


def _card(text: str, draw: Draw) -> str:
    return text[0] + _alike(text[1:], draw, lambda made: not is_card(re.sub("[^0-9]", "", text[0] + made)))


def _id(text: str, draw: Draw) -> str:
    checks = [validator(name) for name in FORMATS]
    return _alike(text, draw, lambda made: not any(is_valid(made) for is_valid in checks))


def _coordinates(text: str, draw: Draw) -> str:
    # The digits of degrees stay away from real places by chance alone, so the point lies in the Gulf of Guinea.
    return re.sub(r"[0-9]+(\.[0-9]+)?", lambda match: "0" + (f".{draw.below(10_000):04d}" if match[1] else ""), text)


def _name(_text: str, draw: Draw) -> str:
    return f"{_word(draw).title()} {_word(draw).title()}"


def _alike(text: str, draw: Draw, is_free: Callable[[str], bool]) -> str:
    # Of random digits one in ten or more passes a check: a few draws find one that does not.
    for _ in range(1000):
        made = _drawn(text, draw)
        if made != text and is_free(made):
            return made
    return "0" * len(text)


def _drawn(text: str, draw: Draw) -> str:
    choices = {"0": _DIGITS, "A": _CAPITALS, "a": _SMALL}
    return "".join(
        draw.of(choices["0" if character.isdigit() else "A" if character.isupper() else "a"])
        if character.isalnum()
        else character
        for character in text
    )


_MAKERS: Mapping[str, Callable[[str, Draw], str]] = {
    "email": _email,
    "ip": _ip,
    "mac": _mac,
    "phone": _phone,
    "iban": _iban,
    "card": _card,
    "id": _id,
    "coordinates": _coordinates,
    "name": _name,
}
