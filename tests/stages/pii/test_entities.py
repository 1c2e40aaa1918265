"""What each recogniser takes and leaves, case by case."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn
from stdnum.iso7064 import mod_97_10

from lauter.stages.pii import Pii, card, iban, ip_address

TAKEN = [
    ("Write to <foo.bar+x@mail.example.co.uk>.", "foo.bar+x@mail.example.co.uk"),
    ("联系邮箱foo@bar.com或者", "foo@bar.com"),
    ("see foo@bar.com.Then go", "foo@bar.com"),
    ("https://x.org/?a=1&mail=foo@bar.com", "foo@bar.com"),
    ("cell|foo@bar.com|cell", "foo@bar.com"),
    ("hans.müller@bücher.de", "hans.müller@bücher.de"),
    ("mailto:foo@bar.com?subject=x", "foo@bar.com"),
    ("...foo@bar.com", "foo@bar.com"),
    ("user@example.com_foo", "user@example.com"),
    ("mailto:john%40example.com?subject=x", "john%40example.com"),
    ("mailto:john%40163.com", "john%40163.com"),
    ("\u0645" * 90 + "info@example.com", "info@example.com"),
    ("\u0436" * 90 + "j\u00f6rg.a@mail.ru", "j\u00f6rg.a@mail.ru"),
    ("server 66.46.179.200:8080", "66.46.179.200"),
    ("range 66.46.179.0/24", "66.46.179.0/24"),
    ("Connect to IP 1.1.1.1", "1.1.1.1"),
    ("Version 1.2.3.4 of section 10.1.2.3 runs on 8.8.8.8 and more", "8.8.8.8"),
    ("Version 1.2.3.4 answers as 8.8.4.4", "8.8.4.4"),
    ("the service is hosted on 5.9.1.2", "5.9.1.2"),
    ("a reply from 5.9.1.2 to the server", "5.9.1.2"),
    ("地址66.46.179.200的", "66.46.179.200"),
    ("[2a00:1450:4001:81b::200e]:443", "2a00:1450:4001:81b::200e"),
    ("::ffff:66.46.179.200", "::ffff:66.46.179.200"),
    ("IBANDE89370400440532013000", "DE89370400440532013000"),
    ("pay DE89370400440532013000 2 days", "DE89370400440532013000"),
    ("IBAN: BE 71 0961 2345 6769", "BE 71 0961 2345 6769"),
    ("de89370400440532013000", "de89370400440532013000"),
    ("GB82\u00a0WEST\u00a01234\u00a05698\u00a07654\u00a032", "GB82\u00a0WEST\u00a01234\u00a05698\u00a07654\u00a032"),
    ("4111 1111 1111 1111 123", "4111 1111 1111 1111"),
    ("Amex 3782-822463-10005.", "3782-822463-10005"),
    ("(+41) 44 668 18 00", "(+41) 44 668 18 00"),
    ("Tel.:+49 (0) 30/72 62 98-0", "+49 (0) 30/72 62 98-0"),
]
LEFT = [
    "git@github.com:user/repo.git",
    "package@1.2.3 logo@2x.png user@localhost",
    "@user user@ a@b .@.",
    "a" * 80 + "@bar.com",
    "https://medium.com/%40user.name 5%40 package%401.2.3",
    "Version 66.46.1.2",
    "dpkg (1.16.4.3) unstable; urgency=low",
    "linux (5.66.77.88-1+deb9u2) unstable; urgency=low",
    "Bump to 1.1.99.2",
    "section 8.8.8.8, and we moved from 2.3.4.5 to 2.3.4.6",
    "see section 3.2.1.4 below",
    "Firefox/91.10.20.30 Gecko",
    "git-v1.8.0.1-347-gf94c3",
    "11.2.3.45.6 1.2.3 1.2.3.4.example.com 01.2.3.4",
    "127.0.0.1 192.168.0.1 10.1.1.1 169.254.1.1 224.0.0.1 203.0.113.7",
    "std::vector a::b ::1 fe80::1 12:34:56 2001:db8::1 01:1b:44:11:3a:b7",
    "DE88 3704 0044 0532 0130 00 XX89370400440532013000",
    "4111111111111112 0.4111111111111111 https://x.org/4111111111111111",
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb x1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
    "05.11.2014 18:00 +1 +100 3+4=7 +12345678901234567890",
]


@pytest.mark.parametrize(("text", "taken"), TAKEN)
def test_taken(pii: Pii, text: str, taken: str) -> None:
    assert [text[start:end] for start, end, _ in pii.spans_of({"text": text})] == [taken]


@pytest.mark.parametrize("text", LEFT)
def test_left(pii: Pii, text: str) -> None:
    assert [text[start:end] for start, end, _ in pii.spans_of({"text": text})] == []


def test_reserved_addresses_on_request(pii_any_ip: Pii) -> None:
    text = "127.0.0.1 192.168.0.1 10.1.1.1 fe80::1%eth0 ::1 2001:db8::/32"
    assert [text[start:end] for start, end, _ in pii_any_ip.spans_of({"text": text})] == text.split()


@given(st.text("0123456789", min_size=12, max_size=19))
def test_luhn_is_that_of_stdnum(digits: str) -> None:
    known = any(a <= int(digits[:3]) <= b and len(digits) in n for a, b, n in card._ISSUERS)
    assert card.is_card(digits) == (known and luhn.is_valid(digits))


@given(st.from_regex(r"[A-Z]{2}[0-9]{2}[0-9A-Z]{11,30}", fullmatch=True))
def test_check_digits_are_those_of_stdnum(number: str) -> None:
    assert iban.is_iban(number) == mod_97_10.is_valid(number[4:] + number[:4])


@given(st.integers(0, 2**32 - 1) | st.integers(0, 255).map(lambda n: n << 24))
def test_public_is_global_and_unicast(number: int) -> None:
    address = ipaddress.IPv4Address(number)
    relay = address in ipaddress.IPv4Network("192.88.99.0/24") or address in ipaddress.IPv4Network("192.0.0.0/24")
    if not relay:
        assert ip_address.is_public(address) == (address.is_global and not address.is_multicast)


@pytest.mark.parametrize("text", ["64:ff9b::8.8.8.8", "2002:808:808::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"])
def test_addresses_that_embed_a_public_one_are_public(text: str) -> None:
    assert ip_address.is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "fc00::1", "ff02::1", "2001:db8::1", "::"])
def test_other_addresses_are_not(text: str) -> None:
    assert not ip_address.is_public(ipaddress.ip_address(text))


def test_iban_formats_have_distinct_lengths_a_country() -> None:
    longest, shorter, *_ = iban.patterns()
    assert re.search("DZ", longest)
    assert re.search("DZ", shorter)
    assert not re.search("DE", shorter)


def test_nothing_touches_the_network(monkeypatch: pytest.MonkeyPatch, stage: Callable[..., Pii]) -> None:
    def refuse(*_args: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert stage(Pii.Config()).spans_of({"text": "foo@bar.com"}) == [(0, 11, "email")]
