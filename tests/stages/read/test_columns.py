"""Columns of source code and of mathematics: The Stack's and FineMath's schemas, in both formats alike."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lauter.pipeline import identity
from lauter.stages.read.columns import Columns, TableConfig, filled
from lauter.stages.read.jsonl import JsonlReader
from lauter.stages.read.parquet import ParquetReader

STACK = Columns(
    text="content",
    url="https://git.example/{max_stars_repo_name}/blob/{head}/{max_stars_repo_path}",
    repository="max_stars_repo_name",
    path="max_stars_repo_path",
    licences="max_stars_repo_licenses",
)
FILE: dict[str, Any] = {
    "content": "print('a')\n",
    "max_stars_repo_name": "ada/engine",
    "head": "c0ffee",
    "max_stars_repo_path": "src/a b#1.py",
    "max_stars_repo_licenses": ["MIT", "Apache-2.0"],
}


def both(config: TableConfig, *values: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The records of the same rows, read from JSONL and from Parquet."""
    lines = b"\n".join(json.dumps(value).encode() for value in values)
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(values)), out)
    found = []
    for reader, data in ((JsonlReader(config, "code"), lines), (ParquetReader(config, "code"), out.getvalue())):
        reader.check(io.BytesIO(data))
        found.append([row for batch in reader.read(io.BytesIO(data), "f") for row in batch.records.to_pylist()])
    return found


def test_a_file_of_the_stack() -> None:
    for (row,) in both(TableConfig(columns=STACK), FILE):
        url = "https://git.example/ada/engine/blob/c0ffee/src/a%20b%231.py"
        assert (row["url"], row["repository"], row["path"]) == (url, "ada/engine", "src/a b#1.py")
        assert (row["licences"], row["text"]) == (["MIT", "Apache-2.0"], "print('a')\n")
        assert row["doc_id"] == identity.content_id("code", url, None, b"print('a')\n")


@pytest.mark.parametrize("licences", [None, [], ["MIT", None], ["MIT", ""], "", [None]])
def test_a_list_with_a_gap_says_nothing(licences: object) -> None:
    for one, other in both(TableConfig(columns=STACK), {**FILE, "max_stars_repo_licenses": licences}, FILE) if (
        isinstance(licences, list) or licences is None
    ) else both(TableConfig(columns=STACK), {**FILE, "max_stars_repo_licenses": licences},
                {**FILE, "max_stars_repo_licenses": "MIT"}):  # fmt: skip
        assert one["licences"] is None and other["licences"]


def test_a_url_lacks_where_a_part_of_it_does() -> None:
    for one, _ in both(TableConfig(columns=STACK), {**FILE, "head": None}, FILE):
        assert one["url"] is None and one["repository"] == "ada/engine"
    assert filled("https://x.example/{a}", {"a": "ü\ud800"}) == "https://x.example/%C3%BC%3F"


def test_a_column_of_a_url_must_be_there() -> None:
    wanted = Columns(text="content", url="https://git.example/{repo}/{content}")
    with pytest.raises(ValueError, match=r"no column 'repo' \(columns.url\)"):
        JsonlReader(TableConfig(columns=wanted), "code").check(io.BytesIO(json.dumps(FILE).encode()))


def test_finemath_counts_nanoseconds() -> None:
    moment = datetime(2021, 12, 26, 14, 7, 37, tzinfo=UTC)
    out = io.BytesIO()
    pq.write_table(pa.table({"text": ["2+2"], "url": ["https://m.example/"], "fetch_time": [1640527657000000000]}), out)
    columns = Columns(date="fetch_time")
    for unit, expected in (("ns", moment), ("s", None)):
        config = TableConfig(columns=columns, date_unit=unit)  # type: ignore[arg-type]
        (batch,) = ParquetReader(config, "math").read(io.BytesIO(out.getvalue()), "f")
        assert batch.records.column("fetched_at").to_pylist() == [expected]
