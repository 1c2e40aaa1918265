from __future__ import annotations

from pathlib import Path

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
