"""Tables that do not agree with each other, under true digests of their files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.pipeline.audit.forging import (
    DOCUMENTS_A,
    DOCUMENTS_B,
    LEDGER_A,
    LEDGER_B,
    contents,
    forge,
    put_back,
    setting,
    violations,
)


def test_a_changed_text_is_found_under_a_true_file_digest(corpus: Path) -> None:
    forge(corpus, DOCUMENTS_A, setting("text", 3, "another text"))
    assert violations(corpus) == [
        f"{DOCUMENTS_A}: row group 0 has texts of another SHA-256 than its column text_sha256 says"
    ]
    digest = hashlib.sha256(b"another text").digest()
    forge(corpus, DOCUMENTS_A, setting("text_sha256", 3, digest))
    assert violations(corpus) == [
        f"{DOCUMENTS_A}: row group 0: another text_sha256 than row 3 of {LEDGER_A}; 1 such rows"
    ]


def test_documents_and_ledger_have_the_same_records(corpus: Path) -> None:
    for path in (DOCUMENTS_A, "scores/source-a/a.txt.parquet", "decisions/source-a/a.txt.parquet"):
        forge(corpus, path, lambda table: table.filter(pa.array(np.arange(table.num_rows) != 5)))
    assert violations(corpus) == [f"{DOCUMENTS_A}: lacks the document of row 5 of {LEDGER_A}; 1 such rows"]
    for path in (DOCUMENTS_A, "scores/source-a/a.txt.parquet", "decisions/source-a/a.txt.parquet"):
        forge(corpus, path, lambda table: table.slice(0, 20))
    assert violations(corpus) == [
        f"{DOCUMENTS_A}: lacks the document of row 5 of {LEDGER_A}; 1 such rows",
        f"{DOCUMENTS_A}: lacks the document of row 21 of {LEDGER_A}; 19 such rows",
    ]


def test_another_doc_id_another_order_and_other_scores_are_found(corpus: Path) -> None:
    forge(corpus, DOCUMENTS_A, setting("doc_id", 2, bytes(16)))
    found = violations(corpus)
    assert f"{DOCUMENTS_A}: row group 0: another doc_id than row 2 of {LEDGER_A}; 1 such rows" in found
    assert f"scores/source-a/a.txt.parquet: is not about the documents of row group 0 of {DOCUMENTS_A}" in found
    assert f"decisions/source-a/a.txt.parquet: is not about the documents of row group 0 of {DOCUMENTS_A}" in found
    forge(corpus, DOCUMENTS_A, setting("row", 39, 99))
    assert any("has documents of records that" in item for item in violations(corpus))
    forge(corpus, DOCUMENTS_A, setting("row", 2, 1))
    assert f"{DOCUMENTS_A}: row group 0 is not in the order of the records" in violations(corpus)
    forge(corpus, "scores/source-a/a.txt.parquet", lambda table: table.slice(1))
    assert f"scores/source-a/a.txt.parquet: has 39 rows, {DOCUMENTS_A} has 40" in violations(corpus)


def test_a_soft_decision_that_the_ledger_hides_or_changes_is_found(corpus: Path) -> None:
    row = pq.read_table(corpus / LEDGER_B).column("reason").to_pylist().index("too-few-words")
    for name, value in (("reason", "dull"), ("stage", "read"), ("verdict", "error")):
        before = contents(corpus, LEDGER_B)
        forge(corpus, LEDGER_B, setting(name, row, value))
        assert any("which is not what decisions/ says; 1 such rows" in item for item in violations(corpus)), name
        put_back(corpus, before)
    decisions = "decisions/source-b/b.txt.parquet"
    kept = pq.read_table(corpus / decisions).column("reason").to_pylist().index(None)
    forge(corpus, decisions, setting("reason", kept, "too-few-words"))
    found = violations(corpus)
    assert len(found) == 1 and "says kept (None: None), which is not what decisions/ says" in found[0]


def test_a_hard_drop_has_no_document(corpus: Path) -> None:
    row = pq.read_table(corpus / LEDGER_B).column("reason").to_pylist().index("forbidden")
    forge(corpus, LEDGER_B, setting("text_sha256", row, bytes(32)))
    assert violations(corpus) == [f"{DOCUMENTS_B}: lacks the document of row {row} of {LEDGER_B}; 1 such rows"]


def test_other_places_lengths_and_ids_are_found(corpus: Path) -> None:
    table = pq.read_table(corpus / LEDGER_A)
    shard = f"tokens/main/{table.column('shard')[0].as_py():05d}.parquet"
    saved = contents(corpus, LEDGER_A)
    for name, value in (("tokens", 1), ("row", 1 << 20), ("shard", 999), ("row", None), ("stream", None)):
        forge(corpus, LEDGER_A, setting(name, 0, value))
        found = [item for item in violations(corpus) if "summary" not in item]
        assert found, (name, value)
        if name == "tokens":
            assert any(item.startswith(f"{shard}: row group") and "not what the ledger says" in item for item in found)
        if value == 1 << 20:
            assert f"{shard}: the ledger places 1 row behind its end" in found
        if value == 999:
            assert "the ledger places 1 row in shard 999 of main, which is not there" in found
        if value is None:
            assert f"{LEDGER_A}: row group 0: not exactly the kept rows have a {name}" in found
        put_back(corpus, saved)
    first = pq.ParquetFile(corpus / shard).read_row_group(0)
    for change in (
        setting("doc_id", 0, bytes(16)),
        setting("length", 0, 7),
        lambda table: table.take(pa.array(np.arange(table.num_rows)[::-1])),
    ):
        before = contents(corpus, shard)
        forge(corpus, shard, change)
        assert any(item.startswith(f"{shard}: row group 0 ") for item in violations(corpus))
        put_back(corpus, before)
    assert first.num_rows > 1
    forge(corpus, shard, lambda table: table.slice(1))
    assert any("the ledger places" in item for item in violations(corpus))


def test_a_table_of_other_columns_is_found(corpus: Path) -> None:
    forge(corpus, LEDGER_A, lambda table: table.drop_columns(["verdict"]))
    assert violations(corpus)[0].startswith(f"{LEDGER_A}: has no column `verdict`")
    forge(corpus, DOCUMENTS_A, lambda table: table.set_column(1, "row", pc.cast(table.column("row"), pa.int64())))
    assert any(item.startswith(f"{DOCUMENTS_A}: has no column `row`") for item in violations(corpus))
