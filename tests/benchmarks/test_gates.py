from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.gates import __main__ as gates
from benchmarks.gates.public_data import MissingTestData, public_data


class _Measured:
    NAME = "made"

    def __init__(self, numbers: Mapping[str, float]) -> None:
        self._numbers = numbers

    def measure(self) -> Mapping[str, float]:
        return self._numbers


def test_a_number_falls_only_beyond_the_tolerance() -> None:
    assert gates.fallen({"f1": 0.9}, {"f1": 0.8996}) == []
    assert gates.fallen({"f1": 0.9}, {"f1": 0.8994}) == ["f1: 0.8994, baseline 0.9000"]


def test_a_number_that_is_gone_or_no_number_has_fallen() -> None:
    assert gates.fallen({"f1": 0.9}, {"other": 1.0}) == ["f1: not measured, baseline 0.9000"]
    assert gates.fallen({"f1": 0.9}, {"f1": float("nan")}) == ["f1: nan, baseline 0.9000"]


def test_what_rose_and_what_is_new_is_told() -> None:
    assert gates.changes({"f1": 0.9}, {"f1": 0.91, "recall": 0.5}) == [
        "f1: 0.9100, baseline 0.9000",
        "recall: 0.5000, new",
    ]


def test_a_baseline_is_written_then_held_then_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gates, "HERE", tmp_path)
    assert not gates.run("made", _Measured({"f1": 0.91234}), update=False)
    assert "--update" in capsys.readouterr().out
    assert gates.run("made", _Measured({"f1": 0.91234}), update=True)
    assert json.loads((tmp_path / "made.json").read_text()) == {"f1": 0.9123}
    assert gates.run("made", _Measured({"f1": 0.912}), update=False)
    assert not gates.run("made", _Measured({"f1": 0.9}), update=False)
    assert "FELL  f1: 0.9000, baseline 0.9123" in capsys.readouterr().out


def test_every_gate_of_the_folder_has_its_baseline() -> None:
    assert all((gates.HERE / f"{name}.json").is_file() for name in gates.names())


def test_an_unknown_gate_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert gates.main(["beauty"]) == 2
    assert "beauty" in capsys.readouterr().err


def test_absent_data_are_told_with_the_way_to_name_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAUTER_TEST_DATA", str(tmp_path))
    with pytest.raises(MissingTestData, match="LAUTER_TEST_DATA"):
        public_data("warc", "aeb.warc.gz")
