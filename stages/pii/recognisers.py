"""The recognisers of every entity, built on Presidio's framework without a language model and without the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from lauter.stages.pii import (
    candidates,
    card,
    coordinate,
    email_address,
    hardware_address,
    iban,
    ip_address,
    key_blocks,
    marks,
    national_id,
    phone,
    secret,
    spelt_email,
    wallet,
)
from lauter.stages.pii.recogniser import PatternSource, Recogniser, accept, matches

KINDS = ("secret", "iban", "card", "crypto", "email", "ip", "mac", "phone", "id", "coordinates")
"""Types of span, in the order that decides between two matches of one range."""
ENTITIES = (*KINDS, *national_id.FORMATS)
"""What can be looked for: `id` is every national identifier, the rest of the names one format each."""


def recognisers(
    entities: tuple[str, ...],
    *,
    ids_need_context: bool,
    public_ips_only: bool,
    phone_regions: tuple[str, ...],
    phones_by_place: bool,
) -> list[Recogniser]:
    """One or more recognisers an entity, in the order of `ENTITIES`.

    Args:
        entities: names out of `ENTITIES`.
        ids_need_context: whether more than check digits must speak for a national identifier.
        public_ips_only: whether IP addresses outside the public range stay in the text.
        phone_regions: regions (ISO 3166-1 alpha-2) whose national telephone numbers are looked for in every document;
            numbers with a country code are found without.
        phones_by_place: whether national numbers that a word announces are looked for in the plans of the document's
            own regions.

    Raises:
        ValueError: an entity or a region is unknown.
    """
    check(entities)
    names = tuple(name for name in national_id.FORMATS if name in entities or "id" in entities)
    build: dict[str, Callable[[], list[Recogniser]]] = {
        "secret": _secret,
        "iban": _iban,
        "card": _card,
        "crypto": _crypto,
        "email": _email,
        "ip": lambda: _ip(public_ips_only=public_ips_only),
        "mac": _mac,
        "phone": lambda: _phone(phone_regions, by_place=phones_by_place),
        "coordinates": _coordinates,
    }
    found: list[Recogniser] = []
    for kind in KINDS:
        if kind == "id" and names:
            refine = national_id.refine(names, need_context=ids_need_context)
            found.append(Recogniser("id", candidates.IDENTIFIER, national_id.find(names), refine))
        elif kind != "id" and kind in entities:
            found += build[kind]()
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


def _secret() -> list[Recogniser]:
    return [
        Recogniser("secret", marks.RUN, secret.find, secret.refine),
        Recogniser("secret", marks.RUN, secret.find_value, secret.refine_value),
        Recogniser("secret", key_blocks.BLOCK, secret.find_block, secret.refine_block),
    ]


def _iban() -> list[Recogniser]:
    recogniser = _pattern_recogniser("IBAN_CODE", iban.patterns())
    return [Recogniser("iban", candidates.IBAN, matches(recogniser), iban.refine)]


def _card() -> list[Recogniser]:
    recogniser = _pattern_recogniser("CREDIT_CARD", card.PATTERNS)
    return [Recogniser("card", candidates.CARD, matches(recogniser), card.refine)]


def _crypto() -> list[Recogniser]:
    from presidio_analyzer import Pattern
    from presidio_analyzer.predefined_recognizers import CryptoRecognizer

    recogniser = CryptoRecognizer(patterns=[Pattern("crypto", wallet.SHORT, 1.0)], supported_language="xx")
    others = _pattern_recogniser("CRYPTO", (wallet.LONG,))
    return [
        Recogniser("crypto", candidates.CRYPTO, matches(cast(PatternSource, recogniser)), accept),
        Recogniser("crypto", marks.RUN, matches(others), wallet.refine),
    ]


def _email() -> list[Recogniser]:
    recogniser = _pattern_recogniser("EMAIL_ADDRESS", (email_address.PATTERN,))
    spelt = _pattern_recogniser("EMAIL_ADDRESS", (spelt_email.PATTERN,))
    is_registrable = _registrable()
    return [
        Recogniser("email", candidates.EMAIL, matches(recogniser), email_address.refine(is_registrable)),
        Recogniser("email", marks.SPELT, matches(spelt), spelt_email.refine(is_registrable)),
    ]


def _ip(*, public_ips_only: bool) -> list[Recogniser]:
    ipv4 = _pattern_recogniser("IP_ADDRESS", (ip_address.IPV4_PATTERN,))
    ipv6 = _pattern_recogniser("IP_ADDRESS", (ip_address.IPV6_PATTERN,))
    return [
        Recogniser("ip", candidates.IPV4, matches(ipv4), ip_address.refine_ipv4(public_only=public_ips_only)),
        Recogniser("ip", candidates.IPV6, matches(ipv6), ip_address.refine_ipv6(public_only=public_ips_only)),
    ]


def _mac() -> list[Recogniser]:
    recogniser = _pattern_recogniser("MAC_ADDRESS", hardware_address.PATTERNS)
    return [Recogniser("mac", marks.HARDWARE, matches(recogniser), hardware_address.refine)]


def _coordinates() -> list[Recogniser]:
    recogniser = _pattern_recogniser("COORDINATES", coordinate.PATTERNS)
    return [Recogniser("coordinates", marks.COORDINATE, matches(recogniser), coordinate.refine)]


def _phone(regions: tuple[str, ...], *, by_place: bool) -> list[Recogniser]:
    from phonenumbers import SUPPORTED_REGIONS

    unknown = sorted(set(regions) - SUPPORTED_REGIONS)
    if unknown:
        raise ValueError(f"no numbering plan for {', '.join(unknown)}")
    found = [Recogniser("phone", candidates.PLUS, phone.matches((phone.INTERNATIONAL,)), phone.refine_international)]
    if regions:
        found.append(Recogniser("phone", candidates.NUMBER, phone.matches(regions), phone.refine_national))
    if by_place:
        own = phone.matches(())
        found.append(
            Recogniser("phone", candidates.NUMBER, own, phone.refine_announced, phone.is_announced, regional=True)
        )
    return found


def _registrable() -> Callable[[str], bool]:
    import tldextract

    # The list of public suffixes that ships with the package: no download, no cache on disk.
    extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

    def is_registrable(host: str) -> bool:
        parts = extract.extract_str(host)
        return bool(parts.domain and parts.suffix)

    return is_registrable
