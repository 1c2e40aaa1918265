"""The data register of a ledger made by hand, and of a build whose scores count personal data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from lauter.pipeline import parquet
from lauter.pipeline.report.markdown import register_page
from lauter.pipeline.report.register import data_register, pii_removed
from lauter.pipeline.report.write import write_report
from lauter.pipeline.schema import SCORE
from lauter.pipeline.storage import Storage
from tests.pipeline.report.counting import count
from tests.pipeline.report.hand_made import ROWS, corpus

ABOUT = {"web": {"title": "A | crawl", "licence": "CC-BY-4.0", "collected": {"from": "2024-01-01"}}}


def test_every_source_has_its_numbers(tmp_path: Path) -> None:
    made = corpus(tmp_path, about=ABOUT)
    register = data_register(made, {"web": {"ip": 1, "email": 4}})
    books, web = register["sources"]
    assert (web["title"], web["licence"], web["version"]) == ("A | crawl", "CC-BY-4.0", None)
    assert {key: web[key] for key in ("records", "kept", "tokens", "characters", "pii_spans", "mirrors")} == {
        "records": 12,
        "kept": 3,
        "tokens": 1534,
        "characters": 7900,
        "pii_spans": 5,
        "mirrors": None,
    }
    assert [*web["pii_types"].items()] == [("email", 4), ("ip", 1)]
    assert web["opted_out"] == {
        "records": 4,
        "reasons": {"robots-disallow": 3, "robots-unparsable": 1},
        "rules": [
            {"reason": "robots-disallow", "signal": "robots.txt", "records": 3},
            {"reason": "robots-unparsable", "signal": "robots.txt", "records": 1},
        ],
    }
    assert web["languages"] == {"deu_Latn": 1234, "roh_Latn": 300}
    assert web["period"] == {"first": "2024-01-31T23:59:59Z", "last": "2024-03-05T00:00:01Z"}
    assert web["missing"] == [f"sources.web.about.{key}" for key in ("url", "version", "category", "description")]
    assert (books["records"], books["opted_out"]["records"], books["pii_spans"]) == (1, 0, None)
    mirrored = data_register(made | {"mirrors": {"found": 3, "dropped": 1, "sources": {"web": 3}}}, {})
    assert [source["mirrors"] for source in mirrored["sources"]] == [0, 3]


def test_the_register_reads_as_markdown(tmp_path: Path) -> None:
    page = register_page(data_register(corpus(tmp_path, about=ABOUT), {"web": {"ip": 1, "email": 4}}))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"]
    assert rows[2] == ["books", "not declared", "not declared", "1", "1", "10", "0", "–", "–"]
    assert rows[3] == ["web", "not declared", "CC-BY-4.0", "12", "3", "1,534", "4", "5", "–"]
    assert "- title: A \\| crawl" in page
    assert (
        "- opted out, by signal (and reason): robots.txt 3 (robots-disallow), robots.txt 1 (robots-unparsable)" in page
    )
    assert "- personal data removed, by type: email 4, ip 1" in page
    assert "**not declared: sources.books.about.title**" in page


def test_personal_data_is_counted_in_kept_documents_alone(tmp_path: Path) -> None:
    corpus(tmp_path)
    storage = Storage(str(tmp_path))
    rows = [row for row in ROWS if row.source == "web"]
    kept = [row.verdict == "kept" for row in rows]
    types = SCORE.field("pii_types")
    schema = pa.schema([("row", pa.uint32()), types])
    # As the engine writes scores: documents only, so rows are left out; and a count may be null.
    found = [{"ip": 2}, None, {"email": 4, "ip": 3}, {"iban": 100}, {"ip": 1000}]
    lists = [row and [{"type": kind, "count": count} for kind, count in row.items()] for row in found]
    batch = pa.record_batch([pa.array([0, 1, 2, 3, 11], pa.uint32()), pa.array(lists, types.type)], schema)
    assert kept[:4] == [True, True, True, False] and not kept[11]
    parquet.write(storage, "scores/web.parquet", schema, [batch])
    assert pii_removed(storage, "scores/web.parquet", "ledger/web.parquet") == {"ip": 5, "email": 4}
    other = pa.schema([("row", pa.uint32())])
    parquet.write(storage, "scores/books.parquet", other, [pa.record_batch([[0]], other)])
    assert pii_removed(storage, "scores/books.parquet", "ledger/books.parquet") is None


def test_a_corpus_read_from_disk_gives_the_same_reports(tmp_path: Path) -> None:
    about = {"web": {"crawler": {"operator": "O", "name": "N"}, "collected": {"from": "2024-01-01"}, "title": "t"}}
    made = corpus(tmp_path, provider={"models": [{"name": "M", "based_on": [{"name": "B"}]}]}, about=about)
    made["sources"] = dict(reversed(made["sources"].items()))
    first = _written(tmp_path, made)
    assert first == _written(tmp_path, json.loads(json.dumps(made, sort_keys=True)))
    assert len(first) == 8


def _written(folder: Path, made: dict[str, Any]) -> dict[str, bytes]:
    found = write_report(Storage(str(folder)), made, count(folder, made))
    return {output.path: (folder / output.path).read_bytes() for output in found}
