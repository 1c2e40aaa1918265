from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lauter.pipeline.cli import app
from lauter.pipeline.lock import build_lock
from lauter.pipeline.status import status
from lauter.pipeline.storage import Storage, StorageError
from tests.pipeline.small_run import build, write_manifest


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder of an unfinished build: one of two files is read, the other is at it."""
    out = tmp_path / "out"
    _write(out, "plan", {"documents": 2, "same": 1})
    _write(out, "documents/web/a", {"info": {"records": 10, "documents": 7, "payload_bytes": 100}})
    _write(out, "progress/documents/web/b", {"records": 5, "documents": 4, "payload_bytes": 50})
    return out


def _write(out: Path, name: str, data: object) -> None:
    path = out / f"state/{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))


def _age(out: Path, name: str, seconds: float) -> None:
    moment = time.time() - seconds
    os.utime(out / f"state/{name}.json", (moment, moment))


def _status(out: Path) -> dict[str, Any]:
    return status(Storage(str(out)))


def test_a_finished_run(tmp_path: Path) -> None:
    build(write_manifest(tmp_path, {"a.txt": "x\tone text\ny\ttwo texts"}), tmp_path / "out")
    found = _status(tmp_path / "out")
    assert found["finished"] and found["building"] is False
    assert found["records"] == 2 and not found["running"] and not found["stopped"]
    assert all(step["done"] == step["planned"] for step in found["steps"].values())


def test_a_task_runs_while_a_build_holds_the_lock(run: Path) -> None:
    with build_lock(Storage(str(run))):
        found = _status(run)
        assert found["building"] is True
        assert [(beat["task"], beat["records"]) for beat in found["running"]] == [("documents/web/b", 5)]
        assert (found["records"], found["documents"], found["payload_bytes"]) == (15, 11, 150)
        assert found["steps"]["documents"] == {"done": 1, "planned": 2}
        _age(run, "plan", 500)
        _age(run, "progress/documents/web/b", 100)
        assert 100 <= _status(run)["running"][0]["age_s"] <= 110
        shown = CliRunner().invoke(app, ["status", str(run)]).output
        assert "a build is at work" in shown and "last heard of 10" in shown


def test_a_beat_of_an_earlier_build_does_not_run(run: Path) -> None:
    _age(run, "progress/documents/web/b", 100)
    with build_lock(Storage(str(run))):
        found = _status(run)
    assert not found["running"] and [beat["task"] for beat in found["stopped"]] == ["documents/web/b"]
    assert found["records"] == 10


def test_a_killed_build_has_stopped_tasks(run: Path) -> None:
    with build_lock(Storage(str(run))):
        pass
    found = _status(run)
    assert found["building"] is False and not found["running"]
    assert [beat["task"] for beat in found["stopped"]] == ["documents/web/b"]
    assert found["records"] == 10
    assert "cut off documents/web/b" in CliRunner().invoke(app, ["status", str(run)]).output


def test_looking_does_not_keep_a_build_from_starting(run: Path) -> None:
    _status(run)
    with build_lock(Storage(str(run))):
        assert _status(run)["building"] is True


def test_records_of_an_earlier_plan_do_not_count(run: Path) -> None:
    for name in ("x", "y", "z"):
        _write(run, f"documents/web/{name}", {"info": {"records": 1, "documents": 1, "payload_bytes": 1}})
    _write(run, "emit/web/a", {})
    assert _status(run)["steps"] == {"documents": {"done": 2, "planned": 2}, "same": {"done": 0, "planned": 1}}
    _write(run, "plan", {"documents": ["documents/web/a", "documents/web/b"], "same": ["same/00000"]})
    found = _status(run)
    assert found["steps"] == {"documents": {"done": 1, "planned": 2}, "same": {"done": 0, "planned": 1}}
    assert found["records"] == 10


class Vanishing(Storage):
    """A run folder from which a build removes records between listing and reading."""

    def list(self, folder: str) -> dict[str, int]:
        """List, then remove."""
        found = super().list(folder)
        for path in found:
            if path != "state/plan.json":
                self.delete(path)
        return found


def test_what_vanishes_between_listing_and_reading_is_skipped(run: Path) -> None:
    found = status(Vanishing(str(run)))
    assert found["records"] == 0 and not found["running"] and not found["stopped"]


def test_a_cut_record_is_skipped(run: Path) -> None:
    for name in ("documents/web/a", "progress/documents/web/b"):
        (run / f"state/{name}.json").write_text('{"info": ')
    assert _status(run)["records"] == 0
    (run / "state/plan.json").write_text("{")
    assert _status(run)["steps"] == {}


def test_no_run_folder_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no run folder here"):
        _status(tmp_path)
    with build_lock(Storage(str(tmp_path))), pytest.raises(StorageError, match="no run folder here"):
        _status(tmp_path)


@pytest.mark.parametrize("content", ["{}", "{", "[]"])
def test_a_corpus_json_that_is_none_is_not_finished(run: Path, content: str) -> None:
    (run / "corpus.json").write_text(content)
    found = _status(run)
    assert not found["finished"] and "lauter audit" in found["fault"]
    assert "fault:" in CliRunner().invoke(app, ["status", str(run)]).output
    for command in (["report"], ["explain"], ["takedown"]):
        rest = {"explain": ["https://a.example/"], "takedown": ["--doc-ids", str(run / "ids")]}.get(command[0], [])
        (run / "ids").write_text("00" * 16)
        shown = CliRunner().invoke(app, [*command, str(run), *rest])
        assert shown.exit_code == 2 and "`lauter audit` says more" in " ".join(shown.output.split()), shown.output
