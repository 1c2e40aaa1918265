"""Loss spans of a shard must be starts and ends in turn, rising, within the tokens."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lauter.pipeline import schema
from lauter.pipeline.audit.loss_spans import NAME, loss_columns, loss_problem
from lauter.pipeline.storage import Storage, StorageError


@pytest.mark.parametrize(
    ("spans", "problem"),
    [
        ([[0, 4], None, [], [1, 2, 3, 5]], None),
        ([[0, 4, 5]], "a start without an end"),
        ([[2, 2]], "do not rise"),
        ([[0, 2], [3, 1]], "do not rise"),
        ([[0, 6]], "beyond their tokens"),
    ],
)
def test_what_is_wrong_is_said(spans: list[list[int] | None], problem: str | None) -> None:
    table = pa.table({"length": pa.array([5] * len(spans), pa.int32()), NAME: pa.array(spans, schema.LOSS_SPANS.type)})
    found = loss_problem(table)
    assert (found is None) if problem is None else (found is not None and problem in found)
    assert loss_problem(table.drop([NAME])) is None


def test_only_shards_of_dialogues_have_the_column(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    for kind, expected in ((schema.TOKENS, []), (schema.DIALOGUE_TOKENS, [NAME])):
        pq.write_table(kind.empty_table(), tmp_path / "a.parquet")
        assert loss_columns(storage, "a.parquet") == expected
    (tmp_path / "a.parquet").write_bytes(b"no shard")
    with pytest.raises(StorageError, match="footer cannot be read"):
        loss_columns(storage, "a.parquet")
