"""A stage that finds its files unusable while it prepares: one sentence; a fault of its code: the traceback."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from lauter.pipeline.cli import app
from lauter.pipeline.executors.inline import InlineExecutor
from lauter.pipeline.manifest import StageSpec
from lauter.pipeline.prepare_alone import prepare_alone
from lauter.pipeline.run import Observer
from lauter.pipeline.stopped import BuildStopped, said_by
from lauter.pipeline.storage import Storage, stat

OPTOUT = "lauter.stages.optout.stage:OptOut"


def nameless(folder: Path) -> Path:
    """A snapshot that says of no file where it was."""
    path = folder / "snapshot.parquet"
    pq.write_table(pa.table({"body": ["User-agent: *\nDisallow: /\n"]}), path)
    return path


def test_a_build_says_it_in_one_sentence_and_leaves_with_1(tmp_path: Path) -> None:
    snapshot = nameless(tmp_path)
    (tmp_path / "rows.jsonl").write_text('{"url": "https://a.example/", "text": "Nobody is asked what he reads."}\n')
    (tmp_path / "m.yaml").write_text(
        "name: rows\nsources: [{name: rows, kind: jsonl, paths: [rows.jsonl]}]\n"
        f"stages: [{{optout: {{snapshot: [{snapshot.name}]}}}}]\n"
    )
    arguments = ["build", str(tmp_path / "m.yaml"), "--out", str(tmp_path / "out"), "--executor", "inline"]
    result = CliRunner().invoke(app, arguments)
    said = " ".join(result.output.split())
    assert result.exit_code == 1, said
    assert f"stage optout cannot be prepared: {snapshot}: none of the columns origin, robots_url" in said
    assert "Traceback" not in said and "ValueError" not in said


@pytest.mark.parametrize("range_bytes", [1 << 30, 1])
def test_in_one_go_and_by_ranges(tmp_path: Path, range_bytes: int) -> None:
    path = tmp_path / "snapshot.parquet"
    path.write_bytes(b"no Parquet at all")
    found = stat(str(path))
    assert found
    spec = StageSpec("optout", OPTOUT, {"snapshot": [str(path)]}, (found,))
    report, result = prepare_alone(spec, Storage(str(tmp_path / "out")), InlineExecutor, Observer(), range_bytes)
    assert result is None
    (failure,) = report.failures
    assert re.fullmatch(f"stage optout cannot be prepared: {path}: cannot be read as Parquet: .*", failure.error)


@pytest.mark.parametrize(
    "error", [KeyError("row"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), pa.ArrowInvalid("no")]
)
def test_what_was_said_to_programmers_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)), said_by("stage mine cannot be prepared"):
        raise error


def test_a_file_that_is_gone_is_told_as_well(tmp_path: Path) -> None:
    said = said_by("stage mine cannot be prepared")
    with pytest.raises(BuildStopped, match=r"stage mine cannot be prepared: .*No such file.*gone"), said:
        (tmp_path / "gone").read_bytes()
