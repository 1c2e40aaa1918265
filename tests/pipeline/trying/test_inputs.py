"""Files of every kind as records with their own fields."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lauter.pipeline.trying.inputs import Inputs, Read, is_text, media_type
from lauter.stages.catalogue import CATALOGUE

ROWS: list[dict[str, Any]] = [
    {"text": "one", "id": 1, "tags": ["a"], "url": "https://a.example/"},
    {"text": "", "note": "nothing"},
    {"text": "three", "score": 0.5},
]


def inputs(*paths: Path, as_pages: bool = False, limit: int | None = None, **options: object) -> Inputs:
    return Inputs([str(path) for path in paths], CATALOGUE, options, as_pages=as_pages, limit=limit)


def flat(found: Inputs) -> list[tuple[str | None, str | None, dict[str, Any]]]:
    """(text, reason of the reader, fields) of each record."""
    return [row for read in found for row in _rows(read)]


def _rows(read: Read) -> list[tuple[str | None, str | None, dict[str, Any]]]:
    texts = read.batch.records.column("text").to_pylist()
    reasons = [read.reasons[code - 1].name if code else None for code in read.batch.verdict.reason.tolist()]
    return list(zip(texts, reasons, map(dict, read.fields), strict=True))


@pytest.mark.parametrize("ending", [".jsonl", ".ndjson", ".jsonl.gz", ".JSONL.gz"])
def test_lines_keep_their_fields_whatever_becomes_of_them(tmp_path: Path, ending: str) -> None:
    lines = [
        json.dumps(ROWS[0]),
        "  ",
        '{"text": broken',
        "[1]",
        json.dumps(ROWS[1]),
        '{"text": "bad \\ud800"}',
        json.dumps(ROWS[2]),
    ]
    content = "\n".join(lines).encode()
    (tmp_path / f"a{ending}").write_bytes(gzip.compress(content) if ending.endswith(".gz") else content)
    name = {"file": f"a{ending}"}
    assert flat(inputs(tmp_path / f"a{ending}")) == [
        ("one", None, ROWS[0]),
        (None, "invalid-json", {**name, "line": 3, "fault": "Expecting value, at character 10"}),
        (None, "invalid-json", {**name, "line": 4, "fault": "no JSON object"}),
        (None, "no-text", {**name, **ROWS[1]}),
        ("bad �", None, {"text": "bad \ud800"}),
        ("three", None, ROWS[2]),
    ]


def test_what_breaks_off_is_a_row_without_fields(tmp_path: Path) -> None:
    content = gzip.compress(b"".join(json.dumps({"text": f"{n} word"}).encode() + b"\n" for n in range(3000)))
    (tmp_path / "a.jsonl.gz").write_bytes(content[:-300])
    found = flat(inputs(tmp_path / "a.jsonl.gz"))
    assert found[0] == ("0 word", None, {"text": "0 word"})
    text, reason, fields = found[-1]
    assert (text, reason, fields["line"]) == (None, "corrupt-range", len(found))
    assert fields["fault"] == "the compression breaks off"
    assert all(text == fields.get("text") for text, _, fields in found)


def test_parquet_rows_keep_all_columns(tmp_path: Path) -> None:
    pq.write_table(
        pa.Table.from_pylist([{"text": "one", "n": [1, 2]}, {"text": None, "n": []}]), tmp_path / "a.parquet"
    )
    assert flat(inputs(tmp_path / "a.parquet")) == [
        ("one", None, {"text": "one", "n": [1, 2]}),
        (None, "no-text", {"file": "a.parquet", "text": None, "n": []}),
    ]


def test_a_text_under_another_name(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"body": "one"}')
    with pytest.raises(ValueError, match=r"no column 'text'.*the file has 'body'; name others with --read"):
        inputs(tmp_path / "a.jsonl")
    assert flat(inputs(tmp_path / "a.jsonl", columns={"text": "body"})) == [("one", None, {"body": "one"})]


def test_other_files_are_one_record(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Grüße\n")
    (tmp_path / "b").write_text("no ending")
    (tmp_path / "c.html").write_text("<p>page")
    assert flat(inputs(tmp_path / "a.txt", tmp_path / "b")) == [
        ("Grüße\n", None, {"file": "a.txt"}),
        ("no ending", None, {"file": "b"}),
    ]
    (tmp_path / "bad.txt").write_bytes(b"a\xff")
    with pytest.raises(ValueError, match=r"bad\.txt is not UTF-8, at byte 1"):
        inputs(tmp_path / "bad.txt")
    assert inputs(tmp_path / "a.txt").without_text() == []
    assert inputs(tmp_path / "a.txt", tmp_path / "c.html").without_text() == ["c.html"]
    (read,) = inputs(tmp_path / "c.html", as_pages=True)
    assert read.batch.records.column("payload").to_pylist() == [b"<p>page"]
    assert read.batch.records.column("media_type").to_pylist() == ["text/html"]
    assert not is_text(media_type("a.pdf")) and not is_text(media_type("a.txt.gz")) and is_text(media_type("a.md"))


def test_a_field_is_a_page_where_pages_are_wanted(tmp_path: Path) -> None:
    rows = [{"html": "<p>é"}, {"text": "a text", "html": "<p>"}, {"html": ""}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (read,) = inputs(tmp_path / "a.jsonl", as_pages=True)
    assert read.batch.records.column("payload").to_pylist() == ["<p>é".encode(), None, None]
    assert read.batch.records.column("charset").to_pylist() == ["utf-8", None, None]
    assert read.batch.verdict.keep.tolist() == [True, True, False]


@pytest.mark.parametrize("limit", [1, 4, 5, 9])
def test_a_limit_ends_reading(tmp_path: Path, limit: int) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps({"text": f"{name}{n}"}) for n in range(4)))
    texts = [text for text, _, _ in flat(inputs(tmp_path / "*.jsonl", limit=limit))]
    assert texts == ["a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"][:limit]


def test_names_lead_to_readers_that_there_are() -> None:
    assert {*CATALOGUE.endings.values()} <= {*CATALOGUE.readers}


def test_a_path_without_a_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no file matches"):
        inputs(tmp_path / "*.jsonl")
    (tmp_path / "empty.jsonl").write_bytes(b"")
    assert flat(inputs(tmp_path / "empty.jsonl")) == []
