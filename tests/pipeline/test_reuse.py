"""A newer snapshot on an old run folder: the bytes of a build from scratch, and only the work that is new."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline import parquet, schema
from lauter.pipeline.executors.inline import InlineExecutor
from lauter.pipeline.graph.plan import Plan
from lauter.pipeline.resolve import load
from lauter.pipeline.run import LazyExecutor, Observer
from lauter.pipeline.run import build as run_plan
from lauter.pipeline.storage import Storage
from tests.pipeline.counting_stage import CATALOGUE, SEEN
from tests.pipeline.small_run import build, write_manifest

STAGES: list[object] = [
    "words",
    {"origins": {"blocked": "blocked.list"}},
    "counted",
    "marks",
    {"length": {"min_words": 2}},
]
FIRST: list[object] = [*STAGES[1:], "same-text"]
WORDS = ["alpha", "beta", "gamma", "delta", "forbidden"]
NAMES = [f"n{i}" for i in range(30)]


def _manifest(folder: Path, lines: Sequence[str], blocked: Sequence[str], stages: list[object] = FIRST) -> Path:
    half = len(lines) // 2
    manifest = write_manifest(folder, {"a.txt": "\n".join(lines[:half]), "b.txt": "\n".join(lines[half:])}, stages)
    _block(folder, blocked)
    return manifest


def _block(folder: Path, names: Sequence[str]) -> None:
    (folder / "blocked.list").write_text("\n".join(f"https://{name}.example/" for name in names))


def _files(out: Path) -> dict[str, str]:
    """Every file that a build makes, but for done records and the corpus's own history."""
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
        and (name := str(path.relative_to(out))).endswith((".parquet", ".arrow"))
        and not name.startswith("state/quarantine")
    }


def _infos(out: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text())["info"] for path in sorted((out / "state/documents").rglob("*.json"))]


def _told(out: Path) -> Any:  # noqa: ANN401 - JSON
    corpus = json.loads((out / "corpus.json").read_text())
    return [corpus[name] for name in ("stages", "summary", "inputs", "prepared", "clusters", "files", "lineage")]


def _rebuilt(folder: Path, manifest: Path) -> None:
    """Build on what is there, and compare with a build from scratch."""
    build(manifest, folder / "out", catalogue=CATALOGUE)
    build(manifest, folder / "fresh", catalogue=CATALOGUE)
    assert _files(folder / "out") == _files(folder / "fresh")
    assert _told(folder / "out")[:-2] == _told(folder / "fresh")[:-2]
    assert not (folder / "out/state/earlier").exists() or not list((folder / "out/state/earlier").rglob("*.json"))


LINES = [f"{name}\tplain text {WORDS[i % 4]} number {'x' * i}" for i, name in enumerate(NAMES)]
"""Every fourth says `delta`, which `marks` drops."""


@pytest.mark.parametrize(
    ("before", "after", "fresh"),
    [
        ([], ["n1", "n2", "n20"], 0),
        (["n1", "n2", "n20"], [], 3),
        (["n1", "n2"], ["n2", "n3"], 1),
        (["n1"], ["n1", "elsewhere"], 0),
        (NAMES, [], 30),
        ([], NAMES, 0),
    ],
    ids=["dropped", "permitted", "both", "nothing", "all permitted", "all dropped"],
)
def test_later_stages_run_for_the_newly_permitted_only(
    tmp_path: Path, before: list[str], after: list[str], fresh: int
) -> None:
    manifest = _manifest(tmp_path, LINES, before)
    build(manifest, tmp_path / "out", catalogue=CATALOGUE)
    _block(tmp_path, after)
    SEEN.clear()
    outcome = build(manifest, tmp_path / "out", catalogue=CATALOGUE)
    assert SEEN["counted"] == SEEN["marks"] == fresh
    allowed = sum(name not in after for name in NAMES)
    assert sum(info["recomputed"] for info in _infos(tmp_path / "out")) == outcome.report.recomputed == fresh
    assert sum(info["reused"] for info in _infos(tmp_path / "out")) == outcome.report.reused == allowed - fresh
    _rebuilt(tmp_path, manifest)


def test_where_no_decision_changes_nothing_else_runs(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path, LINES, ["n1"])
    first = build(manifest, tmp_path / "out", catalogue=CATALOGUE)
    _block(tmp_path, ["n1", "elsewhere"])
    again = build(manifest, tmp_path / "out", catalogue=CATALOGUE)
    # prepare, and documents of two parts; all else has the inputs that it had.
    assert again.report.executed == 3
    assert again.report.cached >= first.report.executed - 3


CHANGES = {
    "row_group_bytes": st.sampled_from([32 << 20, 700]),
    "texts": st.lists(st.lists(st.sampled_from([*WORDS, "boom"]), min_size=0, max_size=4), min_size=30, max_size=30),
    "before": st.sets(st.sampled_from(NAMES)),
    "after": st.sets(st.sampled_from(NAMES)),
}


@pytest.mark.slow
@settings(max_examples=3)
@given(**CHANGES)
def test_any_change_of_a_list_gives_what_a_fresh_build_gives(
    row_group_bytes: int, texts: list[list[str]], before: set[str], after: set[str]
) -> None:
    _changed_list(row_group_bytes, texts, before, after)


@pytest.mark.soak
@settings(max_examples=60)
@given(**CHANGES)
def test_any_change_of_a_list_at_length(
    row_group_bytes: int, texts: list[list[str]], before: set[str], after: set[str]
) -> None:
    _changed_list(row_group_bytes, texts, before, after)


def _changed_list(row_group_bytes: int, texts: list[list[str]], before: set[str], after: set[str]) -> None:
    defaults = parquet.ParquetSink.__init__.__defaults__
    parquet.ParquetSink.__init__.__defaults__ = (row_group_bytes,)
    lines = [f"{name}\t{' '.join(text)}" for name, text in zip(NAMES, texts, strict=True)]
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            # The rewriter runs first, then the list: both run again, what follows does not.
            manifest = _manifest(folder, lines, sorted(before), [*STAGES, "same-text"])
            build(manifest, folder / "out", catalogue=CATALOGUE)
            _block(folder, sorted(after))
            _rebuilt(folder, manifest)
    finally:
        parquet.ParquetSink.__init__.__defaults__ = defaults


def test_a_stage_that_reads_what_changed_runs_on_everything(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path, LINES, ["n1"], [STAGES[1], "counted", "by-origin"])
    build(manifest, tmp_path / "out", catalogue=CATALOGUE)
    _block(tmp_path, [])
    SEEN.clear()
    _rebuilt(tmp_path, manifest)
    assert [info["reused"] for info in _infos(tmp_path / "out")] == [0, 0]


def test_a_changed_rewriter_runs_all_that_follows(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path, LINES, ["n1"])
    build(manifest, tmp_path / "out", catalogue=CATALOGUE)
    data = yaml.safe_load(manifest.read_text())
    data["stages"][1] = "words"
    manifest.write_text(yaml.safe_dump(data, sort_keys=False))
    _rebuilt(tmp_path, manifest)
    assert [info["reused"] for info in _infos(tmp_path / "out")] == [0, 0]


def test_what_was_touched_is_not_copied(tmp_path: Path) -> None:
    """A forged text would become true by being copied: every byte is checked first."""
    manifest = _manifest(tmp_path, LINES, ["n1"])
    build(manifest, tmp_path / "out", catalogue=CATALOGUE)
    path = tmp_path / "out/documents/source-a/a.txt.parquet"
    table = pq.read_table(path)
    forged = pa.array(["forged text here"] * table.num_rows, pa.large_string())
    with parquet.writer(path, table.schema) as writer:
        writer.write_table(table.set_column(table.schema.get_field_index("text"), table.schema.field("text"), forged))
    # As long as it was, as far as the done record can tell.
    record = tmp_path / "out/state/documents/source-a/a.txt.json"
    told = json.loads(record.read_text())
    for output in told["outputs"]:
        if output["path"].startswith("documents/"):
            output["size"] = path.stat().st_size
    record.write_text(json.dumps(told))
    _block(tmp_path, ["n2"])
    _rebuilt(tmp_path, manifest)
    assert [info["reused"] > 0 for info in _infos(tmp_path / "out")] == [False, True]


@pytest.mark.parametrize("replaced", [["documents"], ["state/records"], []])
def test_a_kill_in_the_middle_of_a_redo(tmp_path: Path, replaced: list[str]) -> None:
    """The record is set aside, some outputs are new, the next build starts from there."""
    manifest = _manifest(tmp_path, LINES, ["n1"])
    build(manifest, tmp_path / "out", catalogue=CATALOGUE)
    _block(tmp_path, ["n2", "n3"])
    build(manifest, tmp_path / "newer", catalogue=CATALOGUE)
    record = tmp_path / "out/state/documents/source-a/a.txt.json"
    aside = tmp_path / "out/state/earlier/documents/source-a/a.txt.json"
    aside.parent.mkdir(parents=True)
    record.rename(aside)
    for folder in replaced:
        name = f"{folder}/source-a/a.txt.parquet"
        (tmp_path / "out" / name).write_bytes((tmp_path / "newer" / name).read_bytes())
    _rebuilt(tmp_path, manifest)
    assert [info["reused"] > 0 for info in _infos(tmp_path / "out")] == [not replaced, True]


def test_a_kill_anywhere_in_a_redo_ends_where_an_undisturbed_one_does(tmp_path: Path) -> None:
    class Stopped(BaseException):
        pass

    class Stopping(Observer):
        left = 0

        def started(self, task: object) -> None:
            self.left -= 1
            if self.left < 0:
                raise Stopped

    manifest = _manifest(tmp_path, LINES, ["n1"])
    for cut in (1, 2):
        _block(tmp_path, ["n1"])
        build(manifest, tmp_path / "out", catalogue=CATALOGUE)
        _block(tmp_path, ["n2", "n3"])
        plan = Plan(load(str(manifest), CATALOGUE), Storage(str(tmp_path / "out")))
        stopping = Stopping()
        stopping.left = cut
        with pytest.raises(Stopped):
            run_plan(plan, LazyExecutor(InlineExecutor), stopping)
        _rebuilt(tmp_path, manifest)


COLUMNS = st.fixed_dictionaries(
    {
        "text": st.text(max_size=5),
        "title": st.none() | st.text(max_size=5),
        "pii_spans": st.none() | st.lists(st.just({"start": 1, "end": 2, "type": "x"}), max_size=3),
        "basis": st.none()
        | st.fixed_dictionaries({"outcome": st.none() | st.text(max_size=3), "agents": st.lists(st.text(max_size=2))}),
    }
)


@given(rows=st.lists(COLUMNS, max_size=20), mask=st.lists(st.booleans(), min_size=20, max_size=20))
def test_bytes_of_a_batch_do_not_depend_on_how_it_was_made(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], mask: list[bool]
) -> None:
    batch = pa.RecordBatch.from_pylist(rows, schema=schema.DOCUMENT).filter(pa.array(mask[: len(rows)], pa.bool_()))
    path = tmp_path_factory.getbasetemp() / f"bytes-{os.getpid()}.parquet"
    pq.write_table(pa.Table.from_batches([batch]), path)
    again = pq.read_table(path).cast(schema.DOCUMENT).combine_chunks().to_batches()
    assert sum(parquet.content_bytes(part) for part in again) == parquet.content_bytes(batch) <= batch.nbytes
