from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline.audit import audit
from lauter.pipeline.storage import Storage
from tests.pipeline.small_run import build, digests, ledger, tokens, write_manifest
from tests.pipeline.small_stages import CATALOGUE

WORDS = ["alpha", "beta", "gamma", "delta", "forbidden", "boom"]
LINE = st.one_of(
    st.builds(
        lambda name, words: f"{name}\t{' '.join(words)}",
        st.sampled_from([f"id{i}" for i in range(25)]),
        st.lists(st.sampled_from(WORDS), max_size=5),
    ),
    st.sampled_from(["", "# a comment", "broken", "also broken"]),
)
FILE = st.lists(LINE, max_size=40).map("\n".join)
FILES = st.fixed_dictionaries({"a1.txt": FILE}, optional={"a2.txt": FILE, "b1.txt": FILE, "c.txt": FILE})


@settings(max_examples=25, deadline=None)
@given(files=FILES)
def test_every_record_ends_as_exactly_one_row(files: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(write_manifest(folder, files), folder / "out")
        rows = ledger(folder / "out")
        lines = [line for text in files.values() for line in text.split("\n") if line and not line.startswith("#")]
        assert len(rows) == len(lines)
        report = audit(Storage(str(folder / "out")), CATALOGUE)
        assert report.violations == []
        assert report.counts["records_in"] == len(lines)
        kept = {(row["shard"], row["row"]): row for row in rows if row["verdict"] == "kept"}
        packed = tokens(folder / "out")
        assert len(kept) == len(packed) == report.counts["kept"]
        places = {(row["doc_id"], row["tokens"]) for row in kept.values()}
        assert places == {(row["doc_id"], row["length"]) for row in packed}
        ids = [row["doc_id"] for row in rows if row["verdict"] == "kept"]
        assert len(ids) == len(set(ids))


def test_verdicts_say_why(tmp_path: Path) -> None:
    files = {
        "a.txt": "one\tAlpha beta\ntwo\tforbidden fruit\nthree\tsingle\nfour\talpha BETA\nbroken\n"
        "one\tanything at all\nfive\t",
        "b.txt": "one\talpha beta\nsix\tgamma delta",
    }
    build(write_manifest(tmp_path, files), tmp_path / "out")
    found = {
        (row["source"], row["offset"]): (row["verdict"], row["stage"], row["reason"])
        for row in ledger(tmp_path / "out")
    }
    ends = list(found.values())
    assert ends == [
        ("kept", None, None),
        ("dropped", "words", "forbidden"),
        ("dropped", "length", "too-few-words"),
        ("duplicate", "same-text", "exact-duplicate"),
        ("error", "read", "broken-line"),
        ("duplicate", "read", "same-record"),
        ("dropped", "read", "empty"),
        ("duplicate", "same-text", "exact-duplicate"),
        ("kept", None, None),
    ]
    rule = next(row["rule"] for row in ledger(tmp_path / "out") if row["reason"] == "forbidden")
    assert rule == {"agent": "tester", "signal": "word", "line": 1, "text": "forbidden"}


def test_canonical_document_is_chosen_among_survivors(tmp_path: Path) -> None:
    """A copy whose first instance is dropped by a soft decision loses its whole cluster to it, not to arrival order."""
    files = {"a.txt": "x\tsame text here\ny\tsame text here", "b.txt": "z\tsame text here"}
    build(write_manifest(tmp_path, files), tmp_path / "out")
    kept = [row for row in ledger(tmp_path / "out") if row["verdict"] == "kept"]
    assert len(kept) == 1 and kept[0]["source"] == "source-a"
    duplicates = [row for row in ledger(tmp_path / "out") if row["verdict"] == "duplicate"]
    assert {row["duplicate_of"] for row in duplicates} == {kept[0]["doc_id"]}


def test_a_second_run_does_nothing(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, {"a.txt": "x\tsome text here", "b.txt": "y\tother text there"})
    first = build(manifest, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")}
    again = build(manifest, tmp_path / "out")
    assert first.report.executed > 0
    assert again.report.executed == 0
    assert again.report.cached == first.report.executed
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")} == before


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
    changed = build(manifest, tmp_path / "out")
    states = Counter(path.parent.parent.name for path in (tmp_path / "out/state").glob("documents/*/*.json"))
    assert states == {"documents": 1}
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


def test_a_stage_that_raises_costs_its_rows_only(tmp_path: Path) -> None:
    lines = "\n".join(f"n{i}\tplain text number {i}{' boom' if i == 11 else ''}" for i in range(30))
    manifest = write_manifest(tmp_path, {"a.txt": lines}, ["boom", "words"])
    build(manifest, tmp_path / "out")
    rows = ledger(tmp_path / "out")
    assert Counter(row["verdict"] for row in rows) == {"kept": 29, "error": 1}
    failed = next(row for row in rows if row["verdict"] == "error")
    assert failed["reason"] == "stage-failed"
    assert failed["rule"] == {"agent": None, "signal": None, "line": None, "text": "ValueError in stage boom"}


def test_a_task_that_fails_is_named_and_the_rest_is_done(tmp_path: Path) -> None:
    good = "\n".join(f"g{i}\tplain text number {i}" for i in range(30))
    bad = "\n".join(f"b{i}\tboom boom" for i in range(30))
    manifest = write_manifest(tmp_path, {"a.txt": good, "b.txt": bad}, ["boom", "words"])
    outcome = build(manifest, tmp_path / "out")
    assert [failure.name for failure in outcome.report.failures] == ["documents/source-b/b.txt"]
    assert "boom" in outcome.report.failures[0].error
    assert outcome.report.skipped
    assert (tmp_path / "out/state/documents/source-a/a.txt.json").exists()
    assert not (tmp_path / "out/corpus.json").exists()
    (tmp_path / "b.txt").write_text("b1\tmended text here")
    mended = build(manifest, tmp_path / "out")
    assert mended.report.failures == [] and mended.report.cached >= 1
    build(manifest, tmp_path / "fresh")
    assert digests(tmp_path / "out") == digests(tmp_path / "fresh")


@settings(max_examples=10, deadline=None)
@given(files=FILES, cut=st.integers(0, 40), workers=st.just(1))
def test_resume_after_any_number_of_tasks(files: dict[str, str], cut: int, workers: int) -> None:
    """A driver that stops after any task, then starts again, ends where an undisturbed one does."""
    from lauter.pipeline.executors.inline import InlineExecutor
    from lauter.pipeline.plan import Plan
    from lauter.pipeline.resolve import load
    from lauter.pipeline.run import LazyExecutor, Observer
    from lauter.pipeline.run import build as run_plan
    from lauter.pipeline.task import Task

    class Stopped(BaseException):
        pass

    class Stopping(Observer):
        left = cut

        def started(self, task: Task) -> None:
            self.left -= 1
            if self.left < 0:
                raise Stopped

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = write_manifest(folder, files)
        plan = Plan(load(str(manifest), CATALOGUE), Storage(str(folder / "out")))
        try:
            run_plan(plan, LazyExecutor(InlineExecutor), Stopping())
        except Stopped:
            assert not (folder / "out/corpus.json").exists()
        build(manifest, folder / "out")
        build(manifest, folder / "whole")
        assert digests(folder / "out") == digests(folder / "whole")


def test_outputs_do_not_depend_on_the_run_folder_or_the_clock(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, {"a.txt": "x\tsome text here\ny\tmore text here"})
    one = build(manifest, tmp_path / "one")
    two = build(manifest, tmp_path / "two")
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert one.corpus["lineage"] == two.corpus["lineage"]
    assert one.corpus["layout_id"] == two.corpus["layout_id"]


def test_an_empty_source_is_an_empty_corpus(tmp_path: Path) -> None:
    outcome = build(write_manifest(tmp_path, {"a.txt": ""}), tmp_path / "out")
    assert outcome.report.failures == []
    assert outcome.corpus["summary"]["records"] == 0
    assert audit(Storage(str(tmp_path / "out")), CATALOGUE).violations == []
