from __future__ import annotations

import re
from pathlib import Path

import pytest

from lauter.pipeline.report.eu_summary import eu_summary
from lauter.pipeline.report.markdown import summary_page, table, text
from tests.pipeline.report.hand_made import HOSTILE, corpus

NO_DOMAINS = {"domains": 0, "records": 0, "listed": 0, "size": "characters", "first": []}


def test_tables_stand_in_line_and_numbers_to_the_right() -> None:
    assert table(["name", "n"], [["a|b", "1,000"], ["c", "7"]]) == [
        "| name | n     |".replace("n     |", "    n |"),
        "| ---- | ----: |",
        "| a\\|b | 1,000 |",
        "| c    |     7 |",
    ]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_words_from_outside_stay_words(tmp_path: Path, hostile: str) -> None:
    provider = {"name": hostile, "summary": {"previous": [hostile]}}
    made = corpus(tmp_path, provider=provider, about={"web": {"title": hostile, "category": "public-dataset"}})
    page = summary_page(eu_summary(made, NO_DOMAINS))
    assert page.count(text(hostile)) >= 3
    assert not re.search(r"(?<!\\)<", page), "no HTML"
    assert not re.search("[\x00-\x09\x0b-\x1f\u2028\u202a-\u202e\u2066-\u2069]", page)
    plain = summary_page(eu_summary(corpus(tmp_path / "x", provider={**provider, "name": "x"}), NO_DOMAINS))
    assert page.count("\n## ") == plain.count("\n## ")


def test_long_tables_are_cut_and_say_so(tmp_path: Path) -> None:
    domains = [{"domain": f"d{n}.ch", "records": 1, "tokens": 1, "characters": 1} for n in range(100)]
    page = summary_page(eu_summary(corpus(tmp_path), NO_DOMAINS | {"first": domains, "listed": 5000}))
    assert "d59.ch" in page and "d60.ch" not in page
    assert "40 more are in eu-summary.json." in page
    assert "all 5,000 are in domains.csv" in page
