"""Reservations in words: the real notices, and real comments that are none."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lauter.stages.optout.signals.files import file_statements
from lauter.stages.optout.signals.words import word_statements

RESERVED = [
    "Nutzung für Text- und Data-Mining im Sinne des § 44b UrhG vorbehalten",
    "Der kommerziellen Nutzung fuer Text und Data Mining wird widersprochen.",
    "La fouille de textes et de données est interdite (article L. 122-5-3 du CPI)",
    "Toute fouille de données sans autorisation est prohibée, nous nous y opposons",
    "Nos reservamos el derecho de minería de textos y datos",
    "È vietata l'estrazione di testo e di dati (art. 70-quater LDA)",
    "Alle rechten voorbehouden, ook voor tekst- en datamining",
    "É proibida a mineração de textos e dados",
    "Zastrzegamy prawo do eksploracji tekstów i danych",
    "Rights reserved under Article 4(3) of Directive (EU) 2019/790",
    "TDM only with our written permission",
    "You may not use this content to train any AI",
]
UNRESERVED = [
    "Text and data mining is welcome here",
    "block data mining bots",
    "allow open-ai crawler",
    "Anthropic's AI crawler, used for training",
    "Use of this site is prohibited for minors",
    "no crawling of /article/4 directories",
    "directive 4: see section 44",
    "All rights reserved",
]


@pytest.mark.parametrize("words", RESERVED)
def test_reservation(words: str) -> None:
    assert [one.says for one in word_statements(f"User-agent: *\n# {words}\nDisallow:")] == ["deny"]


@pytest.mark.parametrize("words", UNRESERVED)
def test_no_reservation(words: str) -> None:
    assert word_statements(f"# {words}\n") == ()


def test_only_comments_are_read() -> None:
    assert word_statements("Disallow: /data-mining-prohibited/\nSitemap: /tdm?reserved") == ()


def test_notice_over_lines_has_the_line_of_the_use() -> None:
    text = (
        "# All content\n# -----\n# may be used for text and\r\n#\tdata mining only\n#with permission.\nAllow: /\n# x\n"
    )
    (one,) = word_statements(text)
    assert one == ("words", "deny", "/", (), 3, "# may be used for text and")
    assert word_statements(text.replace("# -----", "Disallow: /x")) == (one,)
    assert word_statements("# text and data mining\n\nDisallow: /x\n# only with permission\n") == ()


def test_signs_in_another_encoding() -> None:
    (one,) = file_statements("robots.txt", "# Text und Data Mining gemäß § 44b UrhG".encode("cp1252")).statements
    assert one.text == "# Text und Data Mining gem\ufffd\ufffd \ufffd 44b UrhG"


def test_real_notices_are_found(data: Path) -> None:
    with gzip.open(data / "robots" / "signals" / "real_signals.jsonl.gz", "rt", encoding="utf-8") as file:
        lines = [line for row in map(json.loads, file) if row["signal"] == "tdm-law" for line in row["lines"]]
    assert len(lines) > 300
    assert [line for line in lines if not word_statements(line)] == []


def bodies(data: Path) -> Iterator[bytes]:
    for path in sorted((data / "robots" / "corpus").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for row in map(json.loads, file):
                if row.get("body_b64"):
                    yield base64.b64decode(row["body_b64"])
                elif row.get("body"):
                    yield row["body"].encode("utf-8", "surrogatepass")


def test_real_comments_are_no_false_hits(data: Path) -> None:
    # All 75 hits in 2,193 files were read: each is a notice of one of these owners.
    owners = re.compile(
        r"art\. 4 of the eu directive|urheberrechtsgesetz|urhg|large language|data mining or mirroring"
        r"|training ai models|machine learning or artificial|directive 2019/790|grands modèles de langage"
        r"|exploring of texts|eksploracji tekstow"
    )
    found = [one for body in bodies(data) for one in file_statements("robots.txt", body).statements]
    hits = [one.text.lower() for one in found if one.signal == "words"]
    assert len(hits) > 50
    assert [text for text in hits if not owners.search(text)] == []
