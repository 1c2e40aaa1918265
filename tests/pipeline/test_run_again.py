"""The same command again: what is done is kept, and what changed alone is made anew."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from lauter.pipeline.audit import audit
from lauter.pipeline.storage import Storage
from tests.pipeline.small_run import build, digests, ledger, write_manifest
from tests.pipeline.small_stages import CATALOGUE


def test_a_second_run_does_nothing(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, {"a.txt": "x\tsome text here", "b.txt": "y\tother text there"})
    first = build(manifest, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")}
    again = build(manifest, tmp_path / "out")
    assert first.report.executed > 0
    assert again.report.executed == 0
    assert again.report.cached == first.report.executed
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")} == before


def _touched_since(folder: Path, mark: int) -> bool:
    return any(path.stat().st_mtime_ns >= mark for path in folder.rglob("*.json"))


def _change(manifest: Path, min_words: int) -> None:
    data = yaml.safe_load(manifest.read_text())
    data["stages"][1] = {"length": {"min_words": min_words}}
    manifest.write_text(yaml.safe_dump(data, sort_keys=False))


def test_a_changed_threshold_reads_no_file_again(tmp_path: Path) -> None:
    lines = "\n".join(f"n{i}\t{'word ' * (i % 5)}number {i}" for i in range(30))
    manifest = write_manifest(tmp_path, {"a.txt": lines})
    build(manifest, tmp_path / "out")
    first = digests(tmp_path / "out")
    _change(manifest, 4)
    mark = time.time_ns()
    changed = build(manifest, tmp_path / "out")
    ran = {path.name for path in (tmp_path / "out/state").iterdir() if _touched_since(path, mark)}
    assert ran.isdisjoint({"documents", "sign", "meet", "judge", "members", "same"}), ran
    assert {"decide", "keep", "encode"} <= ran
    assert changed.report.cached >= 1
    second = digests(tmp_path / "out")
    assert {path for path in first if first[path] != second.get(path)} and all(
        first[path] == second[path] for path in first if path.startswith(("documents", "scores"))
    )
    fresh = tmp_path / "fresh"
    build(manifest, fresh)
    assert digests(fresh) == second
    _change(manifest, 2)
    build(manifest, tmp_path / "out")
    assert digests(tmp_path / "out") == first


def test_a_removed_file_leaves_nothing_behind(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, {"a1.txt": "x\tsome text here", "a2.txt": "y\tother text there"})
    build(manifest, tmp_path / "out")
    (tmp_path / "a2.txt").unlink()
    build(manifest, tmp_path / "out")
    build(manifest, tmp_path / "fresh")
    assert digests(tmp_path / "out") == digests(tmp_path / "fresh")
    assert audit(Storage(str(tmp_path / "out")), CATALOGUE).violations == []


def test_a_missing_output_is_made_again(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, {"a.txt": "x\tsome text here", "b.txt": "y\tother text there"})
    build(manifest, tmp_path / "out")
    first = digests(tmp_path / "out")
    for path in list((tmp_path / "out").glob("documents/*/*"))[:1]:
        path.unlink()
    assert build(manifest, tmp_path / "out").report.executed >= 1
    assert digests(tmp_path / "out") == first


def test_outputs_do_not_depend_on_the_run_folder_or_the_clock(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, {"a.txt": "x\tsome text here\ny\tmore text here"})
    one = build(manifest, tmp_path / "one")
    two = build(manifest, tmp_path / "two")
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert one.corpus["lineage"] == two.corpus["lineage"]
    assert one.corpus["layout_id"] == two.corpus["layout_id"]


def test_another_file_encodes_no_part_again(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, {"a1.txt": "x\tsome text here", "a2.txt": "y\tother text there"})
    build(manifest, tmp_path / "out")
    mark = time.time_ns()
    (tmp_path / "a3.txt").write_text("z\tthird text everywhere")
    build(manifest, tmp_path / "out")
    for step in ("documents", "sign", "encode"):
        records = (tmp_path / "out/state" / step).rglob("*.json")
        assert [path.name for path in records if path.stat().st_mtime_ns >= mark] == ["a3.txt.json"], step
    build(manifest, tmp_path / "fresh")
    assert digests(tmp_path / "out") == digests(tmp_path / "fresh")


def test_an_edited_stage_of_the_users_own_runs_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "edited_stage.py"
    code = "import lauter.pipeline.per_document as own\n@own.per_document('text')\ndef score(text):\n    return {}\n"
    module.write_text(code.format("0.1"))
    stages: list[object] = [{"use": "edited_stage:score", "with": {"max": 0.5}}]
    manifest = write_manifest(tmp_path, {"a.txt": "x\tsome text"}, stages)
    first = build(manifest, tmp_path / "out")
    assert [row["verdict"] for row in ledger(tmp_path / "out")] == ["kept"]
    module.write_text(code.format("0.95"))
    monkeypatch.delitem(sys.modules, "edited_stage")
    importlib.invalidate_caches()
    second = build(manifest, tmp_path / "out")
    assert [row["verdict"] for row in ledger(tmp_path / "out")] == ["dropped"]
    assert first.corpus["lineage"] != second.corpus["lineage"]


def test_a_corpus_that_lacks_a_file_is_finished_again(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, {"a.txt": "x\tsome text here"})
    build(manifest, tmp_path / "out")
    whole = (tmp_path / "out/corpus.json").read_bytes()
    for name in ("tokens/index.json", "manifest.lock.yaml", "report/index.html", "corpus.json"):
        (tmp_path / "out" / name).unlink()
        assert build(manifest, tmp_path / "out").report.executed == 0
        assert (tmp_path / "out" / name).exists()
    assert (tmp_path / "out/corpus.json").read_bytes() == whole


def test_what_a_kill_left_before_the_corpus_was_finished_is_removed(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, {"a.txt": "x\tsome text here"})
    build(manifest, tmp_path / "out")
    (tmp_path / "out/corpus.json").unlink()
    (tmp_path / "out/documents/source-a/left.parquet").write_bytes(b"left")
    build(manifest, tmp_path / "out")
    assert audit(Storage(str(tmp_path / "out")), CATALOGUE).violations == []


def test_what_a_trainer_has_counted_stays_while_it_fits(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, {"a.txt": "x\tsome text here"})
    folder = tmp_path / "out/state/windows"
    lineage = build(manifest, tmp_path / "out").corpus["lineage"]
    Storage(str(tmp_path / "out")).write("state/windows/64.parquet", b"no Parquet")
    for length, of in ((32, lineage), (48, "0" * 64), (56, None)):
        schema = pa.schema([pa.field("windows", pa.int64())]).with_metadata({"lauter.lineage": of} if of else None)
        pq.write_table(schema.empty_table(), folder / f"{length}.parquet")
    # As another version, or a path of an input, would: the corpus is finished anew and its tokens are the same.
    (tmp_path / "out/corpus.json").unlink()
    assert build(manifest, tmp_path / "out").report.executed == 0
    assert [path.name for path in folder.iterdir()] == ["32.parquet"]
    (tmp_path / "a.txt").write_text("x\tanother text here")
    build(manifest, tmp_path / "out")
    assert not list(folder.glob("*"))


def test_another_name_is_another_corpus(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, {"a.txt": "x\tsome text here"})
    build(manifest, tmp_path / "out")
    manifest.write_text(manifest.read_text().replace("name: small", "name: other"))
    again = build(manifest, tmp_path / "out")
    assert again.corpus["name"] == "other" and again.report.executed == 0
