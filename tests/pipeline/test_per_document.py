from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.pipeline.contract import StageContext
from lauter.pipeline.per_document import LARGEST, ScoreLimits, per_document, quantised
from tests.pipeline.small_run import build, ledger, write_manifest


def test_a_function_is_a_stage(tmp_path: Path) -> None:
    stages: list[object] = [{"use": "tests.pipeline.own_stage:exclamations", "with": {"max": 0.1}}]
    manifest = write_manifest(tmp_path, {"a.txt": "x\tplain text\ny\tloud!!!!\nz\tone! in ten"}, stages)
    outcome = build(manifest, tmp_path / "out")
    assert outcome.report.failures == []
    rows = ledger(tmp_path / "out")
    assert [row["verdict"] for row in rows] == ["kept", "dropped", "kept"]
    assert rows[1]["stage"] == "exclamations"
    assert rows[1]["reason"] == "exclamations-too-high"
    assert rows[1]["rule"] == {"agent": None, "signal": None, "line": None, "text": "exclamations 0.5000 > 0.1000"}


def test_a_users_module_beside_the_manifest_is_found(tmp_path: Path) -> None:
    (tmp_path / "mine_alone.py").write_text(
        "from lauter.pipeline.per_document import per_document\n\n"
        "@per_document('text')\ndef length(text: str) -> float:\n    return len(text)\n"
    )
    manifest = write_manifest(
        tmp_path, {"a.txt": "x\tshort\ny\tlonger text"}, [{"use": "mine_alone:length", "with": {"min": 6}}]
    )
    build(manifest, tmp_path / "out")
    assert [row["verdict"] for row in ledger(tmp_path / "out")] == ["dropped", "kept"]


ODD = """
from lauter.pipeline.per_document import per_document


@per_document("text")
def odd(text: str) -> float:
    return {"nan": float("nan"), "inf": float("inf"), "none": None, "huge": 10.0**300}.get(text, 0.5)
"""


def test_a_value_that_is_no_number_is_an_error_of_its_row(tmp_path: Path) -> None:
    (tmp_path / "mine_odd.py").write_text(ODD)
    texts = "a\tnan\nb\tinf\nc\tnone\nd\thuge\ne\tgood"
    manifest = write_manifest(tmp_path, {"a.txt": texts}, [{"use": "mine_odd:odd", "with": {"min": 0}}])
    outcome = build(manifest, tmp_path / "out")
    assert outcome.report.failures == []
    assert [(row["verdict"], row["reason"]) for row in ledger(tmp_path / "out")] == [
        *[("error", "odd-no-number")] * 4,
        ("kept", None),
    ]


def test_null_is_not_asked_about_and_no_limit_drops_it() -> None:
    @per_document("url")
    def depth(url: str) -> float:
        return url.count("/")

    stage = depth(ScoreLimits(min=1, max=2), StageContext())
    batch = pa.RecordBatch.from_pydict({"url": pa.array(["a/b", None, "a", "a/b/c/d"], pa.string())})
    verdict = stage.apply(batch)
    assert verdict.reason.tolist() == [0, 0, 0, 0] and verdict.reason.dtype == np.uint8
    assert verdict.columns["depth"].to_pylist() == [10_000, None, 0, 30_000]
    decided = stage.decide(pa.RecordBatch.from_pydict(dict(verdict.columns)))
    assert decided.reason.tolist() == [0, 0, 1, 2]
    assert [rule and rule["text"] for rule in decided.rule.to_pylist()] == [
        None,
        None,
        "depth 0.0000 < 1.0000",
        "depth 3.0000 > 2.0000",
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.00005, 0),
        (0.00025, 2),
        (0.00035, 4),
        (True, 10_000),
        (np.float32(0.5), 5_000),
        (np.int64(3), 30_000),
        (-LARGEST, -(10**18)),
        (math.nextafter(LARGEST, math.inf), None),
        (10**400, None),
        (math.nan, None),
        (-math.inf, None),
        (None, None),
        ("1", None),
        (1j, None),
        (Decimal(1), None),
    ],
)
def test_quantised(value: object, expected: int | None) -> None:
    assert quantised(value) == expected


@given(st.floats())
def test_every_float_has_a_place_or_none(value: float) -> None:
    found = quantised(value)
    if math.isfinite(value) and abs(value) <= LARGEST:
        assert found is not None and abs(found - value * 10_000) <= max(0.5, abs(value) * 1e-11)
        assert pa.array([found], pa.int64())[0].as_py() == found
    else:
        assert found is None


def test_limits_beyond_what_can_be_stored_are_refused() -> None:
    with pytest.raises(ValueError, match="less than or equal"):
        ScoreLimits(max=1e15)
