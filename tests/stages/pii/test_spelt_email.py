"""Written-out addresses where they are sure; and hardware addresses, coordinates and national telephone numbers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lauter.stages.pii import Pii, PiiConfig

TAKEN = [
    ("write to jane.roe [at] example dot com today", "jane.roe [at] example dot com"),
    ("mail: hans (at) uni-bonn.de", "hans (at) uni-bonn.de"),
    ("info{at}acme.co.uk", "info{at}acme.co.uk"),
    ("jane(at)acme(dot)com", "jane(at)acme(dot)com"),
    ("contact: j_doe AT acme DOT org", "j_doe AT acme DOT org"),
    ("foo&#64;bar.com", "foo&#64;bar.com"),
    ("Kontakt: eva (ät) beispiel punkt de", "eva (ät) beispiel punkt de"),
    ("correo: juan (arroba) ejemplo (punto) es", "juan (arroba) ejemplo (punto) es"),
    ("почта: ivan (собака) mail.ru", "ivan (собака) mail.ru"),
    ("Osamu Aoki <osamu at debian dot org> is", "osamu at debian dot org"),
    ("name [at] example.org. Then more", "name [at] example.org"),
]
LEFT = [
    "look at amazon dot com for it",
    "back in the dot com boom we met at the dot com office",
    "see (at) home, or (a) first.",
    "meet me [at] noon",
    "he arrived at example.com",
    "@foo.bar decorator (at module.level)",
    "dot dot dot at the end of a line",
]


@pytest.mark.parametrize(("text", "taken"), TAKEN)
def test_taken(text: str, taken: str, pii: Pii) -> None:
    assert [(text[start:end], kind) for start, end, kind in pii.spans_of({"text": text})] == [(taken, "email")]


@pytest.mark.parametrize("text", LEFT)
def test_left(text: str, pii: Pii) -> None:
    assert pii.spans_of({"text": text}) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("link/ether 3c:07:54:12:ab:cd brd ff:ff:ff:ff:ff:ff", ["3c:07:54:12:ab:cd"]),
        ("it was 3C:07:54:12:AB:CD then", ["3C:07:54:12:AB:CD"]),
        ("MAC 02-42-AC-11-00-02.", ["02-42-AC-11-00-02"]),
        ("hwaddr 0015.c5aa.12f0", ["0015.c5aa.12f0"]),
        ("at 12:34:56:18:19:20 frames", []),
        ("fingerprint 3c:07:54:12:ab:cd:00:11:22:33:44:55:66:77:88:99", []),
        ("00:00:5e:00:53:01 01:00:5e:00:00:fb e2:9b:a1:c3:00:af", []),
    ],
)
def test_hardware_addresses(text: str, found: list[str], pii: Pii) -> None:
    assert [text[start:end] for start, end, kind in pii.spans_of({"text": text}) if kind == "mac"] == found


def test_coordinates_on_request(stage: Callable[[PiiConfig], Pii]) -> None:
    opened = stage(PiiConfig(entities=("coordinates",)))
    for text, found in (
        ("GPS: 47.376887, 8.541694", ["47.376887, 8.541694"]),
        ("47°22′36″N 8°32′30″E", ["47°22′36″N 8°32′30″E"]),
        ("1.2345, 6.7890 and 47.37, 8.54", []),
    ):
        assert [text[start:end] for start, end, _ in opened.spans_of({"text": text})] == found


@pytest.mark.parametrize(
    ("text", "language", "url", "found"),
    [
        ("Tel. 030 7262980", "deu_Latn", None, ["030 7262980"]),
        ("Tel. 030 7262980", None, "https://example.de/", ["030 7262980"]),
        ("Tel. 030 7262980", None, None, []),
        ("Nr. 030 7262980", "deu_Latn", None, []),
        ("Call (212) 555-0199 now", "eng_Latn", None, ["(212) 555-0199"]),
        ("電話:03-3214-5678", "jpn_Jpan", None, ["03-3214-5678"]),
        ("Tel. 044 668 18 00", "deu_Latn", "https://example.ch/", ["044 668 18 00"]),
        ("phone 2.1.3.4 of 05.11.2014 18:00", "deu_Latn", None, []),
    ],
)
def test_national_telephone_numbers_by_place(
    text: str, language: str | None, url: str | None, found: list[str], pii: Pii
) -> None:
    assert [
        text[start:end]
        for start, end, kind in pii.spans_of({"text": text, "language": language, "url": url})
        if kind == "phone"
    ] == found


def test_blocks_of_providers_are_nobody_s(pii: Pii) -> None:
    text = "2001::/23 2001:2::/48 2a00:1450::/32 and 2a00:1450:4001:81b::200e"
    assert [text[start:end] for start, end, _ in pii.spans_of({"text": text})] == ["2a00:1450:4001:81b::200e"]
