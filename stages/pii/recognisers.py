"""The recognisers of every entity, built on Presidio's framework without a language model and without the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from lauter.stages.pii import candidates, card, email_address, iban, ip_address, national_id, phone
from lauter.stages.pii.recogniser import PatternSource, Recogniser, accept, matches

ENTITIES = ("iban", "card", "crypto", "email", "ip", "phone", *national_id.FORMATS)
"""What can be looked for, in the order that decides between two matches of one range."""

CRYPTO_PATTERN = r"(?<![0-9A-Za-z])(?:[13][1-9A-HJ-NP-Za-km-z]{25,34}|bc1[02-9ac-hj-np-z]{11,71})(?![0-9A-Za-z])"
"""Bitcoin addresses: Base58Check, and Bech32 of BIP 173 and BIP 350 (at most 74 characters). Presidio's pattern has no
boundaries and finds addresses inside longer names."""


def recognisers(
    entities: tuple[str, ...], *, public_ips_only: bool, phone_regions: tuple[str, ...]
) -> list[Recogniser]:
    """One or more recognisers an entity, in the order of `ENTITIES`.

    Args:
        entities: names out of `ENTITIES`.
        public_ips_only: whether IP addresses outside the public range stay in the text.
        phone_regions: regions (ISO 3166-1 alpha-2) whose national telephone numbers are looked for; numbers with a
            country code are found without.

    Raises:
        ValueError: an entity or a region is unknown.
    """
    check(entities)
    build: dict[str, Callable[[], list[Recogniser]]] = {
        "iban": _iban,
        "card": _card,
        "crypto": _crypto,
        "email": _email,
        "ip": lambda: _ip(public_ips_only=public_ips_only),
        "phone": lambda: _phone(phone_regions),
    }
    found: list[Recogniser] = []
    for entity in ENTITIES:
        if entity in entities:
            found += build[entity]() if entity in build else _national_id(entity)
    return found


def check(entities: tuple[str, ...]) -> None:
    """Refuse names that are not in `ENTITIES`.

    Raises:
        ValueError: there are such names.
    """
    unknown = sorted(set(entities) - set(ENTITIES))
    if unknown:
        raise ValueError(f"unknown entities {', '.join(unknown)}; known are {', '.join(ENTITIES)}")


def _pattern_recogniser(entity: str, patterns: tuple[str, ...]) -> PatternSource:
    from presidio_analyzer import Pattern, PatternRecognizer

    recogniser = PatternRecognizer(
        supported_entity=entity,
        patterns=[Pattern(f"{entity} {place}", text, 1.0) for place, text in enumerate(patterns)],
        supported_language="xx",
    )
    return cast(PatternSource, recogniser)


def _iban() -> list[Recogniser]:
    recogniser = _pattern_recogniser("IBAN_CODE", iban.patterns())
    return [Recogniser("iban", candidates.IBAN, matches(recogniser), iban.refine)]


def _card() -> list[Recogniser]:
    recogniser = _pattern_recogniser("CREDIT_CARD", card.PATTERNS)
    return [Recogniser("card", candidates.CARD, matches(recogniser), card.refine)]


def _crypto() -> list[Recogniser]:
    from presidio_analyzer import Pattern
    from presidio_analyzer.predefined_recognizers import CryptoRecognizer

    recogniser = CryptoRecognizer(patterns=[Pattern("crypto", CRYPTO_PATTERN, 1.0)], supported_language="xx")
    return [Recogniser("crypto", candidates.CRYPTO, matches(cast(PatternSource, recogniser)), accept)]


def _email() -> list[Recogniser]:
    recogniser = _pattern_recogniser("EMAIL_ADDRESS", (email_address.PATTERN,))
    refine = email_address.refine(_registrable())
    return [Recogniser("email", candidates.EMAIL, matches(recogniser), refine)]


def _ip(*, public_ips_only: bool) -> list[Recogniser]:
    ipv4 = _pattern_recogniser("IP_ADDRESS", (ip_address.IPV4_PATTERN,))
    ipv6 = _pattern_recogniser("IP_ADDRESS", (ip_address.IPV6_PATTERN,))
    return [
        Recogniser("ip", candidates.IPV4, matches(ipv4), ip_address.refine_ipv4(public_only=public_ips_only)),
        Recogniser("ip", candidates.IPV6, matches(ipv6), ip_address.refine_ipv6(public_only=public_ips_only)),
    ]


def _phone(regions: tuple[str, ...]) -> list[Recogniser]:
    from phonenumbers import SUPPORTED_REGIONS

    unknown = sorted(set(regions) - SUPPORTED_REGIONS)
    if unknown:
        raise ValueError(f"no numbering plan for {', '.join(unknown)}")
    found = [Recogniser("phone", candidates.PLUS, phone.matches((phone.INTERNATIONAL,)), phone.refine_international)]
    if regions:
        found.append(Recogniser("phone", candidates.NUMBER, phone.matches(regions), phone.refine_national))
    return found


def _national_id(name: str) -> list[Recogniser]:
    is_valid = national_id.validator(name)

    def refine(_before: str, match: str, _after: str) -> tuple[int, int] | None:
        return (0, len(match)) if is_valid(match) else None

    recogniser = _pattern_recogniser(name, (national_id.pattern(name),))
    return [Recogniser("id", candidates.IDENTIFIER, matches(recogniser), refine)]


def _registrable() -> Callable[[str], bool]:
    import tldextract

    # The list of public suffixes that ships with the package: no download, no cache on disk.
    extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

    def is_registrable(host: str) -> bool:
        parts = extract.extract_str(host)
        return bool(parts.domain and parts.suffix)

    return is_registrable
