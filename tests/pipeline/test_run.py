"""Builds of small corpora: how records end, what fails, and where a run goes on."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline.audit import audit
from lauter.pipeline.steps.source import FileBroken
from lauter.pipeline.storage import Storage, StorageError
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


@pytest.mark.slow
@settings(max_examples=8)
@given(files=FILES)
def test_every_record_ends_as_exactly_one_row(files: dict[str, str]) -> None:
    _ends_as_one_row(files)


@pytest.mark.soak
@settings(max_examples=200)
@given(files=FILES)
def test_every_record_ends_as_exactly_one_row_at_length(files: dict[str, str]) -> None:
    _ends_as_one_row(files)


def _ends_as_one_row(files: dict[str, str]) -> None:
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
    """The first instance is dropped softly: the next one stays for it, and its copies point there."""
    files = {"a.txt": "x\tsame text", "b.txt": "y\tsame text copy one\nz\tsame text copy two"}
    build(write_manifest(tmp_path, files, ["words", {"length": {"min_words": 3}}, "same-text"]), tmp_path / "out")
    rows = ledger(tmp_path / "out")
    ends = [(row["verdict"], row["reason"]) for row in rows]
    assert sorted(ends[1:]) == [("duplicate", "near-duplicate"), ("kept", None)]
    assert ends[0] == ("dropped", "too-few-words")
    kept, copy = sorted(rows[1:], key=lambda row: str(row["verdict"]), reverse=True)
    assert copy["duplicate_of"] == kept["doc_id"] == min(row["doc_id"] for row in rows[1:])  # type: ignore[type-var]


def test_a_stage_that_raises_costs_its_rows_only(tmp_path: Path) -> None:
    lines = "\n".join(f"n{i}\tplain text number {i}{' boom' if i == 11 else ''}" for i in range(30))
    manifest = write_manifest(tmp_path, {"a.txt": lines}, ["boom", "words"])
    build(manifest, tmp_path / "out")
    rows = ledger(tmp_path / "out")
    assert Counter(row["verdict"] for row in rows) == {"kept": 29, "error": 1}
    failed = next(row for row in rows if row["verdict"] == "error")
    assert failed["reason"] == "stage-failed"
    assert failed["rule"] == {"agent": None, "signal": None, "line": None, "text": "ValueError in stage boom"}


def test_a_stage_that_cannot_be_opened_is_one_error_and_stops_the_build(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, {f"a{n}.txt": f"n{n}\tplain text" for n in range(5)}, ["words", "shut"])
    outcome = build(manifest, tmp_path / "out")
    assert [failure.error for failure in outcome.report.failures] == [
        "stage shut cannot be opened: the model is not on this machine: fetch it"
    ]
    assert {f"documents/source-a/a{n}.txt" for n in range(1, 5)} <= set(outcome.report.skipped)
    assert len(set(outcome.report.skipped)) == len(outcome.report.skipped)
    assert not list((tmp_path / "out/state/documents").rglob("*.json"))


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


@pytest.mark.slow
@settings(max_examples=4)
@given(files=FILES, cut=st.integers(0, 80))
def test_resume_after_any_number_of_tasks(files: dict[str, str], cut: int) -> None:
    """A driver that stops after any task, then starts again, ends where an undisturbed one does."""
    _resumes(files, cut)


@pytest.mark.soak
@settings(max_examples=100)
@given(files=FILES, cut=st.integers(0, 80))
def test_resume_after_any_number_of_tasks_at_length(files: dict[str, str], cut: int) -> None:
    _resumes(files, cut)


def _resumes(files: dict[str, str], cut: int) -> None:
    from lauter.pipeline.executors.inline import InlineExecutor
    from lauter.pipeline.graph.plan import Plan
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


def test_an_empty_source_is_an_empty_corpus(tmp_path: Path) -> None:
    outcome = build(write_manifest(tmp_path, {"a.txt": ""}), tmp_path / "out")
    assert outcome.report.failures == []
    assert outcome.corpus["summary"]["records"] == 0
    assert audit(Storage(str(tmp_path / "out")), CATALOGUE).violations == []


def test_files_of_one_name_in_two_folders_are_told_apart(tmp_path: Path) -> None:
    for folder in ("a1", "a2"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.txt").write_text("broken\nfine\tgood text")
    manifest = write_manifest(tmp_path, {"a.txt": ""})
    manifest.write_text(manifest.read_text().replace("a*.txt", "a*/*.txt"))
    build(manifest, tmp_path / "out")
    rows = ledger(tmp_path / "out")
    assert [(row["file"], row["verdict"]) for row in rows] == [
        ("a1/x.txt", "error"),
        ("a1/x.txt", "kept"),
        ("a2/x.txt", "error"),
        ("a2/x.txt", "duplicate"),
    ]


def test_a_stage_that_fails_a_little_everywhere_fails_the_build(tmp_path: Path) -> None:
    files = {f"a{number:02d}.txt": f"a{number}-{number}\tboom boom" for number in range(30)}
    outcome = build(write_manifest(tmp_path, files, ["boom", "words"]), tmp_path / "out")
    assert [failure.name for failure in outcome.report.failures] == ["documents"]
    assert "ValueError in stage boom: 30 of 30 records" in outcome.report.failures[0].error


def test_a_file_that_changes_while_it_is_read_fails_its_task(tmp_path: Path) -> None:
    from lauter.pipeline.graph.plan import Plan
    from lauter.pipeline.resolve import load
    from lauter.pipeline.worker import execute

    manifest = write_manifest(tmp_path, {"a.txt": "x\tsome text here"})
    plan = Plan(load(str(manifest), CATALOGUE), Storage(str(tmp_path / "out")))
    (tmp_path / "a.txt").write_text("x\tanother text altogether")
    node = next(node for node in plan.first_half() if node.name.startswith("documents/"))
    with pytest.raises(FileBroken, match=r"a\.txt: was changed while it was read"):
        execute(node.build({}))


def test_a_worker_that_outlived_its_build_publishes_nothing(tmp_path: Path) -> None:
    old, new = Storage(str(tmp_path)), Storage(str(tmp_path))
    old.claim()
    old.write("a", b"old")
    new.claim()
    with pytest.raises(StorageError, match="another build has taken over"):
        old.write("a", b"late")
    new.write("b", b"new")
    assert new.read("a") == b"old"


def test_more_tokens_than_the_cells_can_hold_is_said_so(tmp_path: Path) -> None:
    lines = "\n".join(f"n{i}\tsome text number {i}" for i in range(30))
    outcome = build(write_manifest(tmp_path, {"a.txt": lines}, tokens_per_shard=40, cells=2), tmp_path / "out")
    (failure,) = outcome.report.failures
    assert failure.name == "layout/all" and "\n" not in failure.error
    assert "raise `sharding.cells`" in failure.error
