"""The languages part of the page: what a stage tells of it stands there, drawn and escaped."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lauter.pipeline.contract import ReportPart, ReportSection, ReportTable, ReportWhole
from lauter.pipeline.report.sections import plain
from tests.pipeline.report.hand_made import HOSTILE, Page, corpus, page_of


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return corpus(tmp_path_factory.mktemp("corpus"))


def with_languages(made: dict[str, Any], word: str, numbers: tuple[int, ...] = (1234, 300, 10)) -> Page:
    names = ("deu_Latn", f"roh_Latn{word}", "eng_Latn")
    parts = tuple(
        ReportPart(name, f"family {word}", kind, number)
        for name, kind, number in zip(names, ("a", "b", "a"), numbers, strict=True)
    )
    section = ReportSection(
        f"Languages {word}",
        (f"Three of them. {word}",),
        tables=(ReportTable(f"By script {word}", ("script", "tokens"), ((f"Latin {word}", 1544),)),),
        topic="languages",
        whole=ReportWhole(f"By family {word}", "tokens", (("a", f"known {word}"), ("b", "less known")), parts),
        glossary={"deu_Latn": f"German {word}"},
    )
    return page_of(made | {"sections": [*made["sections"], {"stage": "language", **plain(section)}]})


def test_it_is_drawn_in_its_part_and_nowhere_else(made: dict[str, Any]) -> None:
    page = with_languages(made, "")
    words = " ".join(page.sections["languages"].split())
    assert "Three of them." in words
    assert "known : 80.6 % of tokens, 2 of 3" in words
    assert "less known: 19.4 % of tokens, 1 of 3" in words
    assert "The long tail 3 by tokens" in words
    assert page.tables["languages", "By script"][1][:2] == ["Latin", "1,544"]
    assert page.tables["languages", "Languages of kept documents"][1][0] == "deu_Latn German"
    assert "Three of them." not in page.sections["evidence"]
    areas = [
        value for tag, name, value in page.attributes if (tag, name) == ("div", "class") and value.startswith("area ")
    ]
    assert areas == ["area kept", "area dropped", "area kept"]


def test_nothing_is_drawn_of_nothing(made: dict[str, Any]) -> None:
    page = with_languages(made, "", (0, 0, 0))
    assert "Three of them." in page.sections["languages"]
    assert "The long tail" not in page.sections["languages"]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_any_word_may_be_hostile(made: dict[str, Any], hostile: str) -> None:
    page, benign = with_languages(made, hostile), with_languages(made, "word")
    assert page.tags == benign.tags
    assert len(page.attributes) == len(benign.attributes)
    shown = "".join(page.sections.values()) + "".join(value for _, _, value in page.attributes)
    assert not re.search("[\x00-\x09\x0b-\x1f\u2028\u202a-\u202e\u2066-\u2069]", shown)
    for tag, name, value in page.attributes:
        assert name != "style" or re.fullmatch(r"((left|top|bottom|width|height|inline-size):[\d.]+%;?)+", value), (
            tag,
            value,
        )


def test_the_page_stays_small_with_two_thousand_languages(made: dict[str, Any]) -> None:
    parts = tuple(ReportPart(f"l{n:03}_Latn", f"family {n % 90}", "a", 10**12 // (n + 1) ** 3 + 1) for n in range(2000))
    whole = ReportWhole("By family", "tokens", (("a", "known"),), parts)
    section = {"stage": "language", **plain(ReportSection("Languages", topic="languages", whole=whole))}
    page = page_of(made | {"sections": [section]})
    cells = [value for tag, name, value in page.attributes if (tag, name) == ("div", "class") and value == "area kept"]
    assert 3 <= len(cells) < 200
    assert len(page.source) < 300_000
