"""Decisions derived again over parts and worker processes: gathered by host, told in the order of the ledger."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from lauter.pipeline import exchange, parquet, schema
from lauter.pipeline.audit import audit, decisions
from lauter.pipeline.audit.files import part_files
from lauter.pipeline.audit.findings import AuditReport
from lauter.pipeline.audit.gather import gather, gathered_batches
from lauter.pipeline.audit.index import read_index
from lauter.pipeline.audit.workers import ROWS_A_WORKER, Workers, workers_for
from lauter.pipeline.cli import app
from lauter.pipeline.storage import Storage
from lauter.stages.catalogue import CATALOGUE

HOSTS = 7
ROWS = 40
MANIFEST = """\
name: t
sources: [{name: s, kind: parquet, paths: ["*.parquet"]}]
stages: [{optout: {snapshot: [old.jsonl]}}]
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("decisions")
    for part in ("a", "b"):
        urls = [f"https://h{n % HOSTS}.example/{part}/{n}" for n in range(ROWS)]
        texts = [f"Page {part} {n} says something." for n in range(ROWS)]
        pq.write_table(pa.table({"url": urls, "text": texts}), folder / f"{part}.parquet")
    (folder / "t.yaml").write_text(MANIFEST)
    (folder / "old.jsonl").write_text("")
    rows = [{"origin": f"https://h{n}.example", "body": "User-agent: CCBot\nDisallow: /a/1\n"} for n in (1, 3)]
    (folder / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    built = CliRunner().invoke(app, ["build", str(folder / "t.yaml"), "--out", str(folder / "out")])
    assert built.exit_code == 0, built.output
    return folder


def derive(folder: Path, workers: int) -> AuditReport:
    storage = Storage(str(folder / "out"))
    index, report = read_index(storage.read("corpus.json")), AuditReport()
    intact = {output.path for kind in index.files for output in index.outputs(kind)}
    parts = part_files(index, intact, report)
    with Workers(workers) as apart:
        options = {"snapshot": [str(folder / "new.jsonl")]}
        decided = decisions.decided_stages(storage, CATALOGUE, intact, options, report)
        decisions.check_decisions(storage, decided, parts, apart, report)
    return report


def test_a_newer_snapshot_in_any_number_of_processes(corpus: Path) -> None:
    wanted = [f"/a/{n}" for n in range(ROWS) if n % HOSTS in (1, 3) and str(n).startswith("1")]
    one, two = derive(corpus, 1), derive(corpus, 2)
    assert one == two
    assert one.derived == {"optout": 2 * ROWS}
    assert [said.partition(" (")[0].partition(".example")[2] for said in one.violations] == wanted
    assert audit(Storage(str(corpus / "out")), CATALOGUE).violations == []


def test_small_ranges_and_short_lists_change_nothing_but_what_is_told(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = derive(corpus, 1).violations
    monkeypatch.setattr(decisions, "RANGE_ROWS", 9)
    monkeypatch.setattr(decisions, "BATCH_ROWS", 1)
    assert derive(corpus, 1).violations == whole
    monkeypatch.setattr(decisions, "LISTED", 2)
    rest = f"optout: {len(whole) - 2} more kept records of which the same is true"
    assert derive(corpus, 1).violations == [*whole[:2], rest]


def test_gathered_rows_are_the_kept_ones_with_their_signals(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    urls = ["https://b.example/2", None, "https://a.example/1", "mailto:x", "https://b.example/1"]
    ids = [bytes([n]) * 16 for n in range(5)]
    verdicts = ["kept", "kept", "kept", "dropped", "kept"]
    table = pa.table({"doc_id": pa.array(ids, schema.DOC_ID), "url": urls, "verdict": verdicts})
    table = table.append_column("fetched_at", pa.nulls(5, pa.timestamp("s", tz="UTC")))
    parquet.write(storage, "ledger.parquet", table.schema, table.to_batches())
    said = [
        {"doc_id": ids[row], "row": row, "place": "meta", "name": "robots", "value": str(row), "position": 0}
        for row in (0, 2, 3, 4, 4)
    ]
    batch = pa.RecordBatch.from_pylist(said, schema.SIGNAL)
    parquet.write(storage, "signals.parquet", schema.SIGNAL, [batch])
    for ranges in (1, 4):
        item = gather(storage, "ledger.parquet", "signals.parquet", str(tmp_path), f"p{ranges}", ranges)
        assert (item.kept, item.problem) == (4, None)
        seen: dict[int, tuple[str | None, list[str]]] = {}
        for number in range(ranges):
            for found in gathered_batches(str(tmp_path), [item], number, 1):
                _, row = exchange.split_node(found.place)
                found_urls = found.ledger.column("url").to_pylist()
                assert found_urls == sorted(found_urls, key=lambda url: (url is None, url))
                for at, place in enumerate(row.tolist()):
                    own = found.signals.filter(pc.equal(found.signals.column("row"), at))
                    assert found.ledger.column("doc_id")[at].as_py() == ids[place]
                    seen[place] = (found_urls[at], own.column("value").to_pylist())
        assert seen == {0: (urls[0], ["0"]), 1: (None, []), 2: (urls[2], ["2"]), 4: (urls[4], ["4", "4"])}


def test_a_ledger_that_is_no_ledger_is_told(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    table = pa.table(
        {"doc_id": pa.array([bytes(16)], schema.DOC_ID), "url": ["x"], "verdict": ["kept"], "fetched_at": ["x"]}
    )
    parquet.write(storage, "ledger.parquet", table.schema, table.to_batches())
    item = gather(storage, "ledger.parquet", "none.parquet", str(tmp_path), "p", 1)
    assert item.kept == 0
    assert item.problem is not None and item.problem.startswith("ledger.parquet: its kept rows cannot be derived")


def test_results_come_in_the_order_of_the_jobs() -> None:
    with Workers(2) as workers:
        assert list(workers.run(partial(slow, number) for number in range(12))) == list(range(12))
        with pytest.raises(ZeroDivisionError):
            list(workers.run([partial(divmod, 1, 0)]))


def slow(number: int) -> int:
    time.sleep(0.02 * (number % 3 == 0))
    return number


def test_a_small_ledger_is_worth_one_process() -> None:
    assert [workers_for(rows, 2) for rows in (0, ROWS_A_WORKER, 10 * ROWS_A_WORKER)] == [1, 1, 2]
    assert workers_for(10**9, None) >= 1
