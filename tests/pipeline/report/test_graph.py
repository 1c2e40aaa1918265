"""The numbers of a corpus as its tasks leave them: after a build, a takedown, a kill, and where `state/` is gone."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lauter.pipeline.audit import audit
from lauter.pipeline.cli import app
from lauter.pipeline.executors.inline import InlineExecutor
from lauter.pipeline.graph.plan import Plan
from lauter.pipeline.report.domains import CSV, listed
from lauter.pipeline.resolve import load
from lauter.pipeline.run import LazyExecutor, Observer
from lauter.pipeline.run import build as run_plan
from lauter.pipeline.storage import Storage
from lauter.pipeline.takedown.act import take_down
from lauter.pipeline.takedown.demands import demand
from lauter.pipeline.task import Result
from tests.pipeline.report.whole_ledger import plain_domains, plain_summary, rows_of
from tests.pipeline.small_run import build, write_manifest
from tests.pipeline.small_stages import CATALOGUE

FILES = {
    "a1.txt": "\n".join(
        [*(f"n{i}\twords of page {i} in a file" for i in range(30)), "bad\tforbidden words", "s\tshort"]
    ),
    "a2.txt": "\n".join(f"m{i}\twords of page {i} in the second" for i in range(20)),
    "b.txt": "other\twords of another source\nn3\twords of page 3 once more\nbroken",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest, and beside it a finished run folder."""
    folder = tmp_path_factory.mktemp("built")
    build(write_manifest(folder, FILES), folder / "out")
    return folder


@pytest.fixture
def manifest(built: Path) -> Path:
    return built / "manifest.yaml"


@pytest.fixture
def out(built: Path, tmp_path: Path) -> Path:
    """A copy of the run folder, for one test."""
    return Path(shutil.copytree(built / "out", tmp_path / "out"))


def _corpus(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "corpus.json").read_text()))


def _reports(out: Path) -> dict[str, bytes]:
    files = [*(out / "report").iterdir(), out / "croissant.json"]
    return {file.name: file.read_bytes() for file in files}


def _is_what_the_ledger_says(out: Path) -> None:
    corpus = _corpus(out)
    rows = rows_of(out, [item["path"] for item in corpus["files"]["ledger"]])
    assert corpus["summary"] == plain_summary(rows)
    domains = plain_domains(rows, list(corpus["sources"]))
    size = 2 if any(chars for _, _, chars in domains.values()) else 1
    largest = sorted(domains.items(), key=lambda item: (-item[1][size], item[0]))[: listed(len(domains), sme=False)]
    with (out / CSV).open(newline="") as file:
        assert list(csv.reader(file))[1:] == [[name, *map(str, sums)] for name, sums in largest]


def test_after_a_takedown_the_report_is_that_of_the_ledger_and_changed_parts_alone_are_counted(
    manifest: Path, out: Path
) -> None:
    _is_what_the_ledger_says(out)
    before = {path.name: path.stat().st_mtime_ns for path in (out / "state/tally").rglob("*.json")}
    take_down(Storage(str(out)), [demand("url", "https://n3.example/")], with_copies=False)
    _is_what_the_ledger_says(out)
    assert _corpus(out)["summary"]["verdicts"]["removed"] == 2
    after = {path.name: path.stat().st_mtime_ns for path in (out / "state/tally").rglob("*.json")}
    assert sorted(name for name, time in after.items() if time != before[name]) == ["a1.txt.json", "b.txt.json"]
    assert audit(Storage(str(out)), CATALOGUE).violations == []
    reports = _reports(out)
    again = build(manifest, out)
    assert (again.report.executed, again.report.failures) == (0, [])
    assert _reports(out) == reports


def test_the_report_command_writes_the_same_from_what_lies_in_the_folder(out: Path) -> None:
    take_down(Storage(str(out)), [demand("url", "https://m7.example/")], with_copies=False)
    reports = _reports(out)
    for state in ("whole", "damaged", "gone"):
        shutil.rmtree(out / "report")
        if state == "damaged":
            next((out / "state/tally").rglob("*.arrow")).unlink()
        elif state == "gone":
            shutil.rmtree(out / "state")
        assert CliRunner().invoke(app, ["report", str(out)]).exit_code == 0
        assert _reports(out) == reports, state


class _Killed(BaseException):
    """Passes through everything, as a kill does."""


class _Killer(Observer):
    """Stops the build when so many tasks of a step are done."""

    def __init__(self, step: str, after: int) -> None:
        self.step, self.left = step, after

    def ended(self, name: str, result: Result | None, *, cached: bool) -> None:
        self.left -= name.startswith(f"{self.step}/")
        if not self.left:
            raise _Killed


@pytest.mark.parametrize(("step", "after", "executed"), [("tally", 1, 4), ("totals", 1, 0)])
def test_a_build_that_was_killed_before_it_finished_counts_no_part_twice(
    built: Path, manifest: Path, tmp_path: Path, step: str, after: int, executed: int
) -> None:
    """What is left is two of three parts, their sum, and the tree; or nothing."""
    out = tmp_path / "killed"
    plan = Plan(load(str(manifest), CATALOGUE), Storage(str(out)))
    with pytest.raises(_Killed):
        run_plan(plan, LazyExecutor(InlineExecutor), _Killer(step, after))
    assert not (out / "corpus.json").exists()
    again = build(manifest, out)
    assert (again.report.executed, again.report.failures) == (executed, [])
    assert _reports(out) == _reports(built / "out")
    state = {path.name: path.read_bytes() for path in (out / "state/totals").iterdir()}
    assert state == {path.name: path.read_bytes() for path in (built / "out/state/totals").iterdir()}


def test_another_category_adds_up_the_domains_anew_and_reads_no_ledger(built: Path, manifest: Path, out: Path) -> None:
    declared = built / "declared.yaml"
    text = manifest.read_text().replace("kind: lines", "kind: lines\n  about: {category: licensed}", 1)
    declared.write_text(text)
    again = build(declared, out)
    assert (again.report.executed, again.report.failures) == (1, [])
    corpus = _corpus(out)
    rows = rows_of(out, [item["path"] for item in corpus["files"]["ledger"]])
    (section,) = [
        s for s in json.loads((out / "report/eu-summary.json").read_text())["sections"] if s["number"] == "2.3"
    ]
    told = next(entry["value"] for entry in section["entries"] if entry["label"].startswith("Domains that crawled"))
    assert told.startswith(f"{len(plain_domains(rows, ['source-b'])):,} registered domain")
