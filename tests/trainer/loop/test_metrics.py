from __future__ import annotations

import json
import math
from pathlib import Path

from lauter.trainer.loop.metrics import StepLog, finite


def steps(path: Path) -> list[int]:
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def test_what_is_not_finite_is_null_at_any_depth(tmp_path: Path) -> None:
    log = StepLog(tmp_path / "log.jsonl")
    log.add({"step": 1, "loss": math.nan, "held_out": {"loss": math.inf, "all": [-math.inf, 1.5]}, "who": "naïve"})

    def refuse(constant: str) -> float:
        raise AssertionError(constant)

    (line,) = (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()
    found = json.loads(line, parse_constant=refuse)
    assert found == {"step": 1, "loss": None, "held_out": {"loss": None, "all": [None, 1.5]}, "who": "naïve"}
    assert finite({"a": 1, "b": True, "c": None}) == {"a": 1, "b": True, "c": None}


def test_a_log_is_cut_behind_a_step(tmp_path: Path) -> None:
    log = StepLog(tmp_path / "log.jsonl")
    for step in (2, 4, 4, 6):
        log.add({"step": step})
    log.cut(4)
    assert steps(tmp_path / "log.jsonl") == [2, 4, 4]
    log.add({"step": 6})
    assert log.last() == {"step": 6}
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]


def test_an_unfinished_last_line_goes(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"step": 1}\n{"step": 2}\n{"step": 3, "lo')
    assert StepLog(path).last() == {"step": 2}
    StepLog(path).cut(3)
    assert steps(path) == [1, 2]


def test_a_log_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    log = StepLog(tmp_path / "log.jsonl")
    log.cut(3)
    assert log.last() is None
    assert list(tmp_path.iterdir()) == []
