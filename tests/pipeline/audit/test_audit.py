"""The audit of a whole corpus, and the command that shows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lauter.pipeline.cli import app
from lauter.pipeline.storage import StorageError
from tests.pipeline.audit.forging import DOCUMENTS_A, audited, index_of, root_of
from tests.pipeline.small_run import build, write_manifest


def test_an_untouched_corpus_passes(built: Path) -> None:
    report = audited(built / "out")
    assert report.violations == [] and report.notes == []
    assert report.to_json()["ok"] and report.hints == [] and report.to_json()["hint"] is None
    assert report.counts == {"records_in": 48, "kept": 41, "dropped": 4, "duplicate": 2, "error": 1, "removed": 0}
    assert report.recounted == 2
    assert report.root == index_of(built / "out")["root"]


def test_an_input_that_is_gone_or_changed_is_a_note(tmp_path: Path) -> None:
    build(write_manifest(tmp_path, {"a.txt": "x\tone text", "b.txt": "y\tanother text"}), tmp_path / "out")
    (tmp_path / "a.txt").unlink()
    with (tmp_path / "b.txt").open("a") as file:
        file.write("\nmore\ttext")
    report = audited(tmp_path / "out")
    assert report.violations == []
    assert len(report.notes) == 2


def test_no_corpus_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no finished corpus"):
        audited(tmp_path)


def test_the_command_shows_root_and_hint(corpus: Path) -> None:
    root = root_of(corpus)
    good = CliRunner().invoke(app, ["audit", str(corpus), "--root", root])
    assert good.exit_code == 0 and f"root {root}" in good.output and "hint" not in good.output
    for wrong in ("00", "0" * 63 + "g", ""):
        answer = CliRunner().invoke(app, ["audit", str(corpus), "--root", wrong])
        assert answer.exit_code == 2 and "--root takes 64 hex digits" in answer.output
    bad = CliRunner().invoke(app, ["audit", str(corpus), "--root", "0" * 64, "--json"])
    data = json.loads(bad.stdout)
    assert bad.exit_code == 3 and not data["ok"] and data["root"] == root
    assert data["hint"].startswith("ask for the present root") and "delete" not in data["hint"]
    both = CliRunner().invoke(app, ["audit", str(corpus), "--root", f" {root.upper()} "])
    assert both.exit_code == 0
    (corpus / DOCUMENTS_A).write_bytes(b"x")
    both = CliRunner().invoke(app, ["audit", str(corpus), "--root", "0" * 64])
    assert both.exit_code == 3 and both.output.count("hint: ") == 2 and "delete" in both.output
    (corpus / "corpus.json").write_bytes(b"{")
    cut = CliRunner().invoke(app, ["audit", str(corpus)])
    assert cut.exit_code == 3 and cut.output.count("hint: ") == 1
    (corpus / "corpus.json").unlink()
    assert CliRunner().invoke(app, ["audit", str(corpus)]).exit_code == 2
