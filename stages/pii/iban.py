"""International bank account numbers: the format of every country and the check digits."""

from __future__ import annotations

import re

from lauter.stages.pii.recogniser import Hit

_STRUCTURES = {
    "10n11c2n": "BL FR GF GP MC MF MQ NC PF PM RE TF WF YT",
    "11n": "NO",
    "12c": "AA",
    "12n": "BE BI",
    "14n": "AX DK FI FO GL SD",
    "14n15c": "RU",
    "15n": "SI",
    "16n": "AT BA EE LT MN XK",
    "17n": "HR",
    "18n": "CR DE ME RS",
    "19n": "AE IL SO TL",
    "1a10n12c": "IT SM",
    "1a23n": "BJ CI ML SN",
    "20c": "MD",
    "20n": "CZ DZ ES SE SK TN",
    "21n": "AO CV LY MZ PT ST",
    "22n": "DZ IR IS",
    "23n": "BF BI CF CG CM DJ GA GQ KM MG MR TD",
    "23n1a1c": "BR",
    "24c": "GT",
    "24n": "HU MA PL",
    "25n": "EG",
    "2a12n": "FK",
    "2a16n": "GE",
    "2a22n": "NE TG",
    "2c19n": "GW",
    "2c22n": "BF",
    "2n18c": "SA",
    "3n10c2n": "MK",
    "3n13c": "KZ LU",
    "3n16c": "OM",
    "4a10n": "NL",
    "4a13c": "LV",
    "4a14c": "BH",
    "4a14n": "GB IE",
    "4a15c": "GI",
    "4a15n": "IQ",
    "4a16c": "PK RO",
    "4a16n": "VG",
    "4a19n3a": "MU",
    "4a20c": "AZ",
    "4a20n": "HN NI",
    "4a20n3a": "SC",
    "4a21c": "PS",
    "4a22c": "KW",
    "4a24c": "LC",
    "4a24n": "NI",
    "4a4n17c": "QA",
    "4a4n18c": "JO YE",
    "4a5n18c": "MT",
    "4a6n8c": "BG",
    "4c20n": "DO SV",
    "4c4n16c": "BY",
    "4n20c": "LB",
    "5n12c": "CH LI",
    "6n16c": "TR",
    "6n19c": "UA",
    "7n16c": "GR",
    "8n12c": "AD",
    "8n16c": "AL CY",
}
"""Structure of the account number -> countries: digits (n), capitals (a), either (c), after the country code and two
check digits. SWIFT IBAN registry (ISO 13616-2), the territories that use another country's code as well as their own,
and the countries outside the registry whose banks print IBANs all the same. AA is the code for tests."""

_SEPARATOR = r"[ \-.\u00a0]?"
_CLASSES = {"n": "[0-9]", "a": "[A-Z]", "c": "[0-9A-Z]"}


def patterns() -> tuple[str, ...]:
    """Regular expressions for IBANs of exactly their country's length.

    In one run, or with one separator between any two characters; in small letters in one run only. A country with two
    lengths in use has its longer one in an expression before the shorter one.
    """
    by_country: dict[str, list[str]] = {}
    for structure, countries in _STRUCTURES.items():
        for country in countries.split():
            by_country.setdefault(country, []).append(structure)
    for structures in by_country.values():
        structures.sort(key=_length, reverse=True)
    formats = [
        {country: structures[place] for country, structures in by_country.items() if len(structures) > place}
        for place in range(max(map(len, by_country.values())))
    ]
    return (
        *(_pattern(structures, _SEPARATOR) for structures in formats),
        *(_pattern(structures, "") for structures in formats),
    )


def _length(structure: str) -> int:
    return sum(map(int, re.findall("[0-9]+", structure)))


def _pattern(structures: dict[str, str], separator: str) -> str:
    branches = []
    for structure in sorted(set(structures.values())):
        countries = "|".join(sorted(country for country in structures if structures[country] == structure))
        body = "".join(
            f"(?:{separator}{_CLASSES[letter]}){{{count}}}"
            for count, letter in re.findall("([0-9]+)([nac])", structure)
        )
        branches.append(f"(?:{countries}){separator}[0-9]{separator}[0-9]{body}")
    body = "|".join(branches) if separator else "|".join(branches).lower()
    return rf"(?<![0-9A-Za-z])(?:IBAN)?(?:{body})(?![0-9A-Za-z])"


def refine(hit: Hit) -> tuple[int, int] | None:
    """Take a number whose check digits hold, without the word IBAN that may be written onto it."""
    start = 4 if hit.text.startswith("IBAN") else 0
    return (start, len(hit.text)) if is_iban("".join(re.findall("[0-9A-Za-z]", hit.text[start:]))) else None


def is_iban(number: str) -> bool:
    """Whether the check digits hold: the number, rearranged and in digits, is 1 modulo 97 (ISO 7064, MOD 97-10).

    >>> is_iban("DE89370400440532013000"), is_iban("DE88370400440532013000")
    (True, False)
    """
    return int("".join(str(int(character, 36)) for character in number[4:] + number[:4])) % 97 == 1
