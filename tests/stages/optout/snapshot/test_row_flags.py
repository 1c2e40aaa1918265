"""What a fetcher says of a body, in rows: that it kept the beginning only, that it could not decode it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lauter.stages.optout.snapshot.read import read_snapshot


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_flags(suffix: str, tmp_path: Path) -> None:
    rows = [
        {"url": f"https://{name}.example/robots.txt", "status": 200, "body": "#", "truncated": cut, "broken": broken}
        for name, cut, broken in [("a", False, False), ("b", True, False), ("c", None, True), ("d", True, None)]
    ]
    path = tmp_path / f"robots.{suffix}"
    if suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    counts: Counter[str] = Counter()
    answers = [(a.truncated, a.broken, a.body) for a in read_snapshot(str(path), counts)]
    assert answers == [(False, False, b"#"), (True, False, b"#"), (False, True, b""), (True, False, b"#")]
    assert counts["broken"] == 1
