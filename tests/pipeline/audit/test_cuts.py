"""The audit of cuts: what a changed file or ledger cannot hide."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from lauter.pipeline import parquet
from lauter.pipeline.audit.cuts import check_cuts
from lauter.pipeline.audit.files import PartFiles
from lauter.pipeline.audit.findings import AuditReport
from lauter.pipeline.audit.index import CorpusIndex, read_index
from lauter.pipeline.storage import Output, Storage
from tests.pipeline.cutting_stage import CATALOGUE
from tests.pipeline.small_run import build
from tests.pipeline.test_cutting import lines, pages, small, stages

PART = "source-a/a.txt.parquet"
Change = Callable[[pa.Table], pa.Table]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cuts")
    build(small(folder, {"a.txt": lines(pages(40, 1))}, stages()), folder / "out", catalogue=CATALOGUE)
    return folder / "out"


def problems(out: Path, cuts: Change | None = None, ledger: Change | None = None, rows: int = 1 << 20) -> list[str]:
    """What the check says after a change, in row groups of some rows."""
    storage = Storage(str(out))
    index = read_index(storage.read("corpus.json"))
    files = {}
    for kind, change in (("cuts", cuts), ("ledger", ledger)):
        path = f"{kind}/{PART}"
        table = parquet.read(storage, path)
        changed = change(table) if change else table
        with storage.staging(path) as staged:
            sink = parquet.ParquetSink(staged, table.schema)
            for start in range(0, changed.num_rows, rows):
                for batch in changed.slice(start, rows).combine_chunks().to_batches():
                    sink.write(batch)
                sink.cut()
            sink.close()
            files[kind] = parquet.describe(staged, path)
    report = AuditReport()
    check_cuts(storage, index, [PartFiles(index.inputs[0], files)], report)
    return report.violations


def put(name: str, row: int, change: Callable[[Any], Any]) -> Change:
    def changed(table: pa.Table) -> pa.Table:
        values = table.column(name).to_pylist()
        values[row] = change(values[row])
        return table.set_column(
            table.schema.get_field_index(name),
            table.schema.field(name),
            pa.array(values, table.schema.field(name).type),
        )

    return changed


def ending(reason: str | None) -> Change:
    """The first document of which nothing was left has another end."""

    def changed(table: pa.Table) -> pa.Table:
        reasons = table.column("reason").cast(pa.string()).to_pylist()
        reasons[reasons.index("only-repeated-passages")] = reason
        return table.set_column(
            table.schema.get_field_index("reason"),
            table.schema.field("reason"),
            pa.array(reasons, table.schema.field("reason").type),
        )

    return changed


@pytest.mark.parametrize("rows", [1, 2, 1 << 20])
def test_what_was_built_holds_in_row_groups_of_any_size(built: Path, tmp_path: Path, rows: int) -> None:
    shutil.copytree(built, tmp_path / "out")
    assert problems(tmp_path / "out", rows=rows) == []


@pytest.mark.parametrize(
    ("cuts", "ledger", "said"),
    [
        (lambda table: table.slice(1), None, "cuts.cut_chars"),
        (put("end", 0, lambda end: end + 10_000), None, "reach out of their text"),
        (put("start", 3, lambda start: start + 1), None, "cuts.cut_chars"),
        (put("doc_id", 2, lambda _: bytes(16)), None, "name another doc_id"),
        (lambda table: table.take(list(range(table.num_rows))[::-1]), None, "not in the order"),
        (put("row", -1, lambda _: 4000), None, "cuts of records that"),
        (None, ending("too-short"), "its verdict do not agree"),
        (lambda table: table.filter(pc.greater(table.column("start"), 0)), None, "nothing was cut of it"),
        (lambda table: pa.concat_tables([table.slice(0, 1), table]), None, "overlap"),
    ],
    ids=["missing", "beyond", "moved", "doc-id", "order", "no-record", "verdict", "emptied", "twice"],
)
def test_every_change_is_named(
    built: Path, tmp_path: Path, cuts: Change | None, ledger: Change | None, said: str
) -> None:
    shutil.copytree(built, tmp_path / "out")
    found = problems(tmp_path / "out", cuts, ledger)
    assert any(said in sentence for sentence in found), found


def test_a_corpus_without_cuts_has_no_document_that_ended_by_them(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "out")
    storage = Storage(str(tmp_path / "out"))
    index = read_index(storage.read("corpus.json"))
    without = CorpusIndex.model_construct(
        **{
            **index.__dict__,
            "files": {kind: items for kind, items in index.files.items() if kind != "cuts"},
            "cuts": None,
        }
    )
    ledger = next(output for output in index.outputs("ledger") if isinstance(output, Output))
    report = AuditReport()
    check_cuts(storage, without, [PartFiles(index.inputs[0], {"ledger": ledger})], report)
    assert len(report.violations) == 1 and "nothing was cut of it" in report.violations[0]
    assert report.violations[0].startswith(ledger.path)
