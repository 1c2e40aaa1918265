from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lauter.pipeline.report.codes import code_tally, codes_of
from lauter.pipeline.storage import Storage


def test_documents_are_counted_by_code(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    parts: list[list[int | None]] = [[1, None, 3, 1], [3], [None]]
    for number, codes in enumerate(parts):
        columns = {"row": pa.array(range(len(codes)), pa.uint32()), "toxicity_model": pa.array(codes, pa.uint8())}
        pq.write_table(pa.table(columns), tmp_path / f"{number}.parquet")
    pq.write_table(pa.table({"row": pa.array([0], pa.uint32())}), tmp_path / "3.parquet")
    tallies = [code_tally(storage, f"{number}.parquet", "web") for number in range(4)]
    assert [table.num_rows for table in tallies] == [2, 1, 0, 0]
    rows = pa.concat_tables(tallies).to_pylist()
    assert {(row["of"], row["source"], row["name"]) for row in rows} == {("code", "web", "toxicity_model")}
    assert codes_of([*rows, {"of": "pii", "name": "email", "more": None, "records": 9}]) == {
        "toxicity_model": {1: 2, 3: 2},
    }  # fmt: skip
