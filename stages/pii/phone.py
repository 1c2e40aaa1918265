"""Telephone numbers, by libphonenumber's numbering plans."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lauter.stages.pii.candidates import PHONE_DIGITS
from lauter.stages.pii.recogniser import Find, Hit

INTERNATIONAL = "ZZ"
"""The region of a number that names its own country (CLDR: unknown region)."""
_DIGITS = re.compile("[0-9]")
_YEAR = "(?:19|20)[0-9]{2}"
_DATE = re.compile(
    rf"[0-9]{{1,2}}([./-] ?)[0-9]{{1,2}}\1{_YEAR}(?![0-9])|{_YEAR}([./-] ?)[0-9]{{1,2}}\2[0-9]{{1,2}}(?![0-9])"
)
_DECIMAL = re.compile(r"\(?[0-9]\.[0-9]{4,}\Z")

_CUE = re.compile(
    r"(?i)(?:\btel(?:\b|[eé]fon|ephon|efoon|éphone)|\bt[eé]l\b|phone|\bfon\b|\bfax|mobil|m[oó]vil|celular|"
    r"\bcell\b|handy|whats-?app|"
    r"hotline|\bcall\b|\bdial\b|\bsms\b|\brufn?|\btt?lf|\btfno|\btelf|\bpuh\b|puhelin|gsm|komórk|zadzwo|\bring\b|appel|llam|ligue|chiam|"
    r"тел|моб|звон|факс|τηλ|电话|電話|手机|手機|传真|전화|휴대|โทร|هاتف|تلفن|موبايل|फ़ोन|फोन|मोबाइल|ফোন|"
    r"điện thoại|☎|☏|📞|📱|✆)"
)
CUE_LENGTH = 40
"""Code points before a number in which a word may say that it is one."""


def refine_international(hit: Hit) -> tuple[int, int] | None:
    """Take a number with a country code and at least `PHONE_DIGITS` digits."""
    return (0, len(hit.text)) if len(_DIGITS.findall(hit.text)) >= PHONE_DIGITS and "+" in hit.text else None


def refine_national(hit: Hit) -> tuple[int, int] | None:
    """Take a national number unless it is written like a date or a decimal fraction, or is a part of a URL or number.

    On 52 MB of real pages these were half of what the German, Austrian, Swiss, British, French, Spanish, Italian and US
    plans took for numbers ("05.11.2014 18" is valid in Germany).
    """
    if len(_DIGITS.findall(hit.text)) < PHONE_DIGITS or _DATE.search(hit.text) or _DECIMAL.match(hit.text):
        return None
    if re.search(r"[0-9][.,:/-]\Z|[/=]\Z", hit.before) or re.match(r"[.,:/-]?[0-9]|[/.]\w", hit.after):
        return None
    return 0, len(hit.text)


def refine_announced(hit: Hit) -> tuple[int, int] | None:
    """As `refine_national`, where a word in the same line announces the number."""
    return refine_national(hit) if is_announced(hit) else None


def is_announced(hit: Hit) -> bool:
    """Whether a word in the line before a number says that it is a telephone number."""
    return bool(_CUE.search(hit.before[-CUE_LENGTH:].rpartition("\n")[2])) and bool(hit.place.regions)


def matches(regions: tuple[str, ...]) -> Find:
    """Numbers that are valid in the plan of some regions, or of the documents' own where there are none.

    As Presidio's `PhoneRecognizer` finds them (leniency VALID), but not through it, because it compares every result
    with every other.
    """
    from phonenumbers import SUPPORTED_REGIONS, Leniency, PhoneNumberMatcher

    def find(text: str, own: tuple[str, ...]) -> Iterator[tuple[int, int]]:
        for region in regions or own:
            if region in SUPPORTED_REGIONS or region == INTERNATIONAL:
                for match in PhoneNumberMatcher(text, region, leniency=Leniency.VALID, max_tries=len(text) + 1):
                    yield match.start, match.end

    return find
