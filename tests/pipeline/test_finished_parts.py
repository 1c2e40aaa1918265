"""A finished corpus as its last tasks see it: what is done is not done again, and nothing else is believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from lauter.pipeline.finished_parts import FinishedParts
from lauter.pipeline.proof.graph import ledger_tree, proving
from lauter.pipeline.report.graph import counted, counting
from lauter.pipeline.storage import Storage, StorageError
from tests.pipeline.report.hand_made import corpus


def test_tasks_run_once_and_leave_what_a_build_would(tmp_path: Path) -> None:
    made, storage = corpus(tmp_path), Storage(str(tmp_path))
    found, written = [], []
    for _ in range(2):
        parts = FinishedParts(storage, made)
        parts.run([*proving(parts, parts.results), *counting(parts, parts.results)])
        found.append((ledger_tree(parts, parts.results), counted(parts, parts.results)))
        records = {path: path.stat().st_mtime_ns for path in (tmp_path / "state").rglob("*.json")}
        names = {str(path.relative_to(tmp_path / "state")).removesuffix(".json") for path in records}
        steps = {name for name in names if not name.startswith("listings/")}
        assert steps == parts.results.keys() - {
            f"{step}/{part.name}" for step in ("ledger", "documents") for part in parts.parts
        }
        written.append(records)
    assert found[0] == found[1] and written[0] == written[1]
    tree, numbers = found[0]
    assert tree.rows == 13 and numbers.summary == made["summary"]


def test_a_ledger_part_too_few_is_told(tmp_path: Path) -> None:
    made = corpus(tmp_path)
    made["files"]["ledger"].pop()
    with pytest.raises(StorageError, match="1 ledger parts for 2 inputs"):
        FinishedParts(Storage(str(tmp_path)), made)
