"""The prefilter loses nothing, and work stays linear."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lauter.stages.pii import Pii, PiiConfig
from lauter.stages.pii.finding import find
from lauter.stages.pii.place import NOWHERE
from lauter.stages.pii.recogniser import CONTEXT_BYTES, Hit, Recogniser
from lauter.stages.pii.recognisers import ENTITIES, KINDS, recognisers
from lauter.stages.pii.spans import Match, resolve

from .conftest import Rows

PATTERNED = recognisers(
    tuple(entity for entity in ENTITIES if entity != "phone"),
    ids_need_context=False,
    public_ips_only=False,
    phone_regions=(),
    phones_by_place=False,
)
MARKS = (
    "@",
    "a",
    ".",
    "-",
    " ",
    "\n",
    "::",
    ":",
    "/",
    "+",
    "(",
    "=",
    "|",
    "?",
    "\u00a0",
    "_",
    "%40",
    "\uff20",
    "\u0664",
    "\u096a",
    "\uff11",
    ",",
    "v",
    "é",
    "中",
    "😀",
)
PARTS = ("1", "32", "1.2.3", "2a00:1450", "DE89", "IBAN", "%eth0", "0.", "é.", "9999.", "12-", "<email-pii>", "x" * 70)
WHOLE = (
    *("foo@bar.com", "192.168.0.1", "8.8.8.8", "DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"),
    *("4111 1111 1111 1111", "4111111111111111", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "+41 44 668 18 00"),
    *("756.1234.5678.97", "X-1234567-L", "RSSMRA85T10A562S"),
)
PIECES = st.sampled_from([*MARKS, *PARTS, *WHOLE])
TEXTS = st.lists(PIECES, max_size=40).map("".join)


def folded(character: str) -> str:
    value = unicodedata.decimal(character, None)
    return {"\uff0b": "+", "\uff20": "@"}.get(character, character if value is None else str(value))


def on_the_whole_page(text: str, chosen: list[Recogniser]) -> list[tuple[int, int, str]]:
    """The recognisers without the prefilter, on digits and signs folded one by one."""
    given, text = text, "".join(map(folded, text))
    found = []
    for priority, recogniser in enumerate(chosen):
        for start, end in recogniser.find(text, ()):
            before = text[:start].encode()[-CONTEXT_BYTES:].decode("utf-8", "surrogateescape")
            after = text[end:].encode()[:CONTEXT_BYTES].decode("utf-8", "surrogateescape")
            if part := recogniser.refine(Hit(before, text[start:end], after)):
                edges = [len(given[: start + edge].encode()) for edge in part]
                found.append(Match(0, edges[0], edges[1], priority, recogniser.type))
    return [(m.start, m.end, m.type) for m in resolve(found)]


def through_the_prefilter(text: str, chosen: list[Recogniser]) -> list[tuple[int, int, str]]:
    raw = text.encode()
    data, offsets = np.frombuffer(raw, np.uint8), np.array([0, len(raw)], np.int64)
    return [(m.start, m.end, m.type) for m in find(data, offsets, chosen, 10**9, [NOWHERE]).matches]


@settings(max_examples=150, deadline=None)
@given(TEXTS)
@example("a@b.com@c.org IBANDE89370400440532013000 (+41) 44 668 18 00")
@example("联系邮箱foo@bar.com或 1.2.3.4.5 11.2.3.45 ::ffff:10.0.0.1/96")
def test_windows_give_what_whole_pages_give(text: str) -> None:
    assert through_the_prefilter(text, PATTERNED) == on_the_whole_page(text, PATTERNED)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["pii/meddocan-test", "pii/presidio-research-synth", "pii/ip-vs-version", "pii/national-id-vectors"]
)
def test_windows_give_what_whole_pages_give_on_real_text(name: str, rows: Callable[[str], Rows]) -> None:
    with_phones = recognisers(
        ENTITIES, ids_need_context=False, public_ips_only=False, phone_regions=("ES", "US", "DE"), phones_by_place=False
    )
    for row in rows(name)[:600]:
        text = row.get("text") or row["number"]
        assert through_the_prefilter(text, with_phones) == on_the_whole_page(text, with_phones)


@pytest.mark.slow
def test_windows_give_what_whole_pages_give_on_pages(rows: Callable[[str], Rows]) -> None:
    international = recognisers(
        ("phone",), ids_need_context=False, public_ips_only=True, phone_regions=(), phones_by_place=False
    )
    for row in rows("ground_truth")[::40]:
        text = row["gt"].get("text") or ""
        assert through_the_prefilter(text, PATTERNED) == on_the_whole_page(text, PATTERNED)
        assert through_the_prefilter(text, international) == on_the_whole_page(text, international)


ADVERSARIAL = {
    "dashes": "a-" * 20,
    "at signs": "a@a.",
    "addresses": "ab@cd.org|",
    "dots": "1.",
    "quads": "8.8.8.8 ",
    "colons": "a:",
    "hexadecimal": "2001:db8::",
    "capitals": "DE89",
    "digits": "4",
    "cards": "4111 1111 1111 1111 ",
    "pluses": "+4144668180",
    "wallets": "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa ",
    "ids": "12345678-Z/",
    "brackets": "+(1",
    "three bytes": "中@",
    "escapes": "%40",
    "escaped addresses": "a%40b.",
    "addresses in one run": "x" * 60 + "@b.de",
}


def test_a_run_of_escapes_is_walked_once() -> None:
    # Quadratic, this takes minutes.
    assert through_the_prefilter("%40" * 300_000 + "b.org", PATTERNED) == []
    assert through_the_prefilter("x%40b.de&" * 2, PATTERNED) == on_the_whole_page("x%40b.de&" * 2, PATTERNED)


@pytest.mark.soak
@pytest.mark.parametrize("name", sorted(ADVERSARIAL))
def test_work_is_linear(name: str, stage: Callable[[PiiConfig], Pii]) -> None:
    opened = stage(PiiConfig(entities=KINDS, phone_regions=("DE",)))
    unit = ADVERSARIAL[name]
    opened.spans_of({"text": unit * 10})  # compiles

    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        start = time.process_time()
        opened.spans_of({"text": text})
        return time.process_time() - start

    small, large = seconds(10_000), seconds(40_000)
    # Four times the text: sixteen times the time if anything were quadratic.
    assert large < 9 * small + 0.2
