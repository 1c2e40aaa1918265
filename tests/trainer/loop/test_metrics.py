from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.trainer.loop import metrics
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


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=12),
    st.sampled_from([b"", b"{", b'{"step": 99, "text": "' + b"x" * 40]),
    st.integers(0, 13),
    st.integers(1, 50),
)
def test_a_log_is_cut_wherever_blocks_end(lengths: list[int], unfinished: bytes, step: int, block: int) -> None:
    lines = [json.dumps({"step": number, "text": "x" * length}) for number, length in enumerate(lengths, 1)]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "BLOCK", block)
        path = Path(folder) / "log.jsonl"
        path.write_bytes("".join(line + "\n" for line in lines).encode() + unfinished)
        assert StepLog(path).last() == json.loads(lines[-1])
        StepLog(path).cut(step)
        assert path.read_text() == "".join(line + "\n" for line in lines[:step])


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    # Were the beginning read, it would not be found to be whole lines.
    path.write_bytes(b"\xff" * (8 * metrics.BLOCK) + b"\n" + b'{"step": 7}\n' * 9000 + b'{"step": 8}\n')
    log = StepLog(path)
    log.cut(7)
    assert log.last() == {"step": 7}
    assert path.stat().st_size == 8 * metrics.BLOCK + 1 + 12 * 9000
