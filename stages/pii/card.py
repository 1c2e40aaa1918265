"""Payment card numbers: issuer prefix, length and check digit."""

from __future__ import annotations

import re

from lauter.stages.pii.recogniser import Hit

_SEPARATOR = r"[ \-\u00a0]"
_EDGE = r"(?<![0-9A-Za-z_])(?<![0-9][.,])"
_END = r"(?![0-9A-Za-z_])(?![.,][0-9])"

PATTERNS = (
    rf"{_EDGE}[1-6][0-9]{{11,18}}{_END}",
    rf"{_EDGE}[2-6][0-9]{{3}}({_SEPARATOR})[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{4}}(?:\1[0-9]{{1,3}})?{_END}",
    rf"{_EDGE}3[0-9]{{3}}({_SEPARATOR})[0-9]{{6}}\1[0-9]{{4,5}}{_END}",
)
"""Digits in one run, or grouped as they are embossed: 4-4-4-4(-3), 4-6-5 and 4-6-4. Presidio's one pattern lets any
separator stand anywhere, which makes half of all number tables into candidates."""

_ISSUERS: tuple[tuple[int, int, frozenset[int]], ...] = (
    (100, 199, frozenset({15})),
    (213, 213, frozenset({15})),
    (300, 305, frozenset({14, 16, 19})),
    (309, 309, frozenset({14, 16, 19})),
    (340, 349, frozenset({15})),
    (350, 359, frozenset({16, 17, 18, 19})),
    (360, 369, frozenset({14, 16, 19})),
    (370, 379, frozenset({15})),
    (380, 399, frozenset({14, 16, 19})),
    (400, 499, frozenset({13, 16, 19})),
    (500, 509, frozenset({16, 19})),
    (510, 559, frozenset({16})),
    (560, 589, frozenset({12, 16, 19})),
    (601, 601, frozenset({16, 19})),
    (620, 629, frozenset({16, 17, 18, 19})),
    (630, 639, frozenset({12, 16, 18, 19})),
    (644, 659, frozenset({16, 19})),
    (670, 679, frozenset({12, 16, 18, 19})),
    (220, 220, frozenset({16})),
    (222, 272, frozenset({16})),
)
"""First three digits (from, to) and lengths that UATP, JCB (15 digits), Diners, Amex, JCB, Visa, Dankort, Mastercard,
Maestro, Discover, UnionPay and Mir issue (ISO/IEC 7812 issuer ranges as the networks publish them)."""

_IN_URL = re.compile(r"(?:://|\bwww\.)\S*\Z|[/=#&]\Z")


def refine(hit: Hit) -> tuple[int, int] | None:
    """Take a number of a known issuer whose check digit holds, unless it is a part of a URL."""
    match = hit.text
    if _IN_URL.search(hit.before) or re.match(r"[/_-]\w", hit.after):
        return None
    # The last group may be the security code that stands beside the number.
    for end in (len(match), max(match.rfind(separator) for separator in " -\u00a0")):
        if end > 0 and is_card("".join(re.findall("[0-9]", match[:end]))):
            return 0, end
    return None


def is_card(digits: str) -> bool:
    """Whether digits form a payment card number.

    Issuer and length must be known and the Luhn sum 0 modulo 10 (ISO/IEC 7812-1, annex B).

    >>> is_card("4111111111111111"), is_card("4111111111111112")
    (True, False)
    """
    prefix = int(digits[:3] or 0)
    if not any(first <= prefix <= last and len(digits) in lengths for first, last, lengths in _ISSUERS):
        return False
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0
