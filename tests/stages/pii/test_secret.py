"""Secrets and wallets: known forms, values that a name calls secret, keys between lines; examples are left."""

from __future__ import annotations

import base64
import hashlib
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.pii import Pii, wallet
from lauter.stages.pii.secret import entropy

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
DRAW = random.Random(7)


def drawn(length: int, letters: str = LETTERS) -> str:
    return "".join(DRAW.choice(letters) for _ in range(length))


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


PEM = "-----BEGIN RSA PRIVATE KEY-----\n" + "\n".join(drawn(64) for _ in range(5)) + "\n-----END RSA PRIVATE KEY-----"
SECRETS = [
    "AKIA" + drawn(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
    "ghp_" + drawn(36),
    "github_pat_" + drawn(22) + "_" + drawn(59),
    "glpat-" + drawn(20),
    "xoxb-" + drawn(12, "0123456789") + "-" + drawn(12, "0123456789") + "-" + drawn(24),
    "hooks.slack.com/services/T"
    + drawn(8, "ABCDEFG0123456789")
    + "/B"
    + drawn(8, "ABCDEFG123456789")
    + "/"
    + drawn(24),
    "AIza" + drawn(35),
    "sk_live_" + drawn(24),
    "sk-proj-" + drawn(40) + "T3BlbkFJ" + drawn(40),
    "sk-ant-api03-" + drawn(93) + "AA",
    "hf_" + drawn(34),
    "npm_" + drawn(36),
    "SG." + drawn(22) + "." + drawn(43),
    "718293645:AA" + drawn(33),
    f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part({'sub': 'jane'})}.{drawn(43)}",
    PEM,
    PEM.replace("\n", "\\n"),
]
LEFT = [
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_" + "x" * 36,
    "commit 2f9c7c1b8e5d4a3f6e7d8c9b0a1f2e3d4c5b6a79 fixes it",
    "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
    "-----BEGIN CERTIFICATE-----\n" + drawn(64) + "\n-----END CERTIFICATE-----",
    "token = get_token_from_the_environment_variable",
    "password: your_password_goes_here_1234",
    "eyJhbGciOiJIUzI1NiJ9 and eyJzdWIiOiIxIn0.eyJzdWIiOiIxIn0.abcdefghijklmnop",
    "a-very-long-name-of-a-page-about-nothing-2024",
    "Donaudampfschifffahrtsgesellschaftskapitän3",
    "0x" + "ab" * 20,
]


@pytest.mark.parametrize("value", SECRETS, ids=[value[:10].replace("\n", " ") for value in SECRETS])
def test_secrets_are_found_whole(value: str, pii: Pii) -> None:
    text = f"before {value} after"
    assert [(text[start:end], kind) for start, end, kind in pii.spans_of({"text": text})] == [(value, "secret")]


@pytest.mark.parametrize("text", LEFT, ids=range(len(LEFT)))
def test_examples_and_names_are_left(text: str, pii: Pii) -> None:
    assert pii.spans_of({"text": text}) == []


def test_a_name_makes_a_secret_of_a_random_value(pii: Pii) -> None:
    value = "q7Zp2Xv9Lm4Tk8Wd3Rf6Hs1J"
    assert pii.spans_of({"text": f'api_key = "{value}"'}) == [(11, 35, "secret")]
    assert pii.spans_of({"text": f'title = "{value}"'}) == []


def test_a_key_that_was_cut_off_is_found_as_far_as_it_goes(pii: Pii) -> None:
    text = PEM[:200]
    assert pii.spans_of({"text": f"{text}\n\n## Next"}) == [(0, 200, "secret")]


@given(st.text("ab", min_size=1))
def test_entropy_lies_between_none_and_one_bit(text: str) -> None:
    assert 0 <= entropy(text) <= 1


@given(st.binary(min_size=21, max_size=21), st.integers(0, 33))
def test_base58check_takes_what_was_made_and_nothing_else(raw: bytes, place: int) -> None:
    whole = raw + hashlib.sha256(hashlib.sha256(raw).digest()).digest()[:4]
    number, text = int.from_bytes(whole, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = wallet.BASE58[digit] + text
    text = "1" * (len(whole) - len(whole.lstrip(b"\0"))) + text
    assert wallet.base58check(text) == raw
    place %= len(text)
    other = wallet.BASE58[(wallet.BASE58.index(text[place]) + 1) % 58]
    assert wallet.base58check(text[:place] + other + text[place + 1 :]) is None


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    ],
)
def test_keccak_is_the_one_of_2011(message: bytes, digest: str) -> None:
    assert wallet.keccak256(message).hex() == digest
    assert len(wallet.keccak256(b"x" * 300)) == 32


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", True),
        ("0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb", True),
        ("0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDB", False),
        ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", True),
        ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T5", False),
        ("LM2WMpR1Rp6j3Sa59cMXMs1SPzj9eXpGc1", True),
    ],
)
def test_wallets_by_their_own_checks(address: str, *, good: bool, pii: Pii) -> None:
    assert [kind for *_, kind in pii.spans_of({"text": f"see {address}."})] == (["crypto"] if good else [])
