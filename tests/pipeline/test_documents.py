"""What a record leaves in the ledger however few stages it passed."""

from __future__ import annotations

from pathlib import Path

from lauter.pipeline.audit import audit
from lauter.pipeline.storage import Storage
from tests.pipeline.small_run import build, ledger, write_manifest
from tests.pipeline.small_stages import CATALOGUE

TEXTS = {"a": "Grüezi mitenand", "b": "naïve 🙂 text", "c": "Grüezi mitenand", "d": ""}


def test_texts_are_counted_where_no_stage_counts_them(tmp_path: Path) -> None:
    lines = "\n".join(f"{name}\t{text}" for name, text in TEXTS.items())
    out = tmp_path / "out"
    outcome = build(write_manifest(tmp_path, {"a.txt": f"{lines}\nno tab"}, ["same-text"]), out)
    assert not outcome.report.failures
    rows = ledger(out)
    assert [row["chars"] for row in rows] == [*(len(text) for text in list(TEXTS.values())[:3]), None, None]
    assert [row["verdict"] for row in rows].count("duplicate") == 1
    assert audit(Storage(str(out)), CATALOGUE).violations == []
