"""What was removed is nowhere in a run folder: not in documents, ledger, scores, shards, state, report, nor in logs."""

from __future__ import annotations

import json
import logging
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from lauter.stages.catalogue import CATALOGUE
from tests.pipeline.small_run import build

SECRETS = (
    "leaky.person@planted-host.org",
    "66.46.179.207",
    "DE89370400440532013000",
    "4111 1111 1111 1111",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "+41 44 668 18 07",
    "756.9217.0769.85",
    "ghp_q7Zp2Xv9Lm4Tk8Wd3Rf6Hs1Jb5Nc0Gy7Ua2E",
    "3c:07:54:12:ab:cd",
    "planted.two (at) planted-host.org",
)
WORDS = "The bakery on the corner opens at six and sells bread that was baked in an oven of stone by hand. "


RAISES = "The recogniser of the manifest raises here."
RECOGNISER = f"""
from presidio_analyzer import EntityRecognizer

class Raises(EntityRecognizer):
    def __init__(self):
        super().__init__(["OTHER"])

    def load(self):
        pass

    def analyze(self, text, entities, nlp_artifacts):
        if {RAISES!r} in text:
            raise RuntimeError(text)
        return []
"""


def everything(folder: Path) -> dict[str, str]:
    """The bytes of all files below a folder as text, and the cells of those whose columns are compressed."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        raw = path.read_bytes()
        text = raw.decode("latin-1")
        if raw[:4] == b"PAR1":
            text += json.dumps(pq.read_table(path).to_pylist(), default=repr, ensure_ascii=False)
        elif raw[:6] == b"ARROW1":
            text += json.dumps(pa.ipc.open_file(path).read_all().to_pylist(), default=repr, ensure_ascii=False)
        elif raw[:2] == b"\x1f\x8b":
            text += zlib.decompress(raw, 31).decode("latin-1")
        found[str(path.relative_to(folder))] = text
    return found


@pytest.mark.slow
def test_nothing_removed_is_left_in_a_run_folder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"id": f"r{place}", "url": f"https://example.org/{place}", "text": WORDS * 6 + f"Here: {secret} . " + WORDS * 6}
        for place, secret in enumerate(SECRETS)
    ]
    for row, secret in zip(rows, SECRETS[::-1], strict=True):
        row["title"] = f"News of {secret}"
    # One on which the stage raises, with the whole text in the message of the exception.
    rows.append(
        {**rows[1], "id": "raises", "url": "https://example.org/r", "text": f"{RAISES} {SECRETS[2]} {WORDS * 9}"}
    )
    (tmp_path / "raises.py").write_text(RECOGNISER)
    # One that is dropped by its density, one that is dropped later, one a copy of another.
    rows.append({"id": "dense", "url": "https://example.org/d", "text": " ; ".join(SECRETS * 4)})
    rows.append({"id": "short", "url": "https://example.org/s", "text": f"short {SECRETS[0]}"})
    rows.append({**rows[0], "id": "copy", "url": "https://example.org/c"})
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "m.yaml").write_text(
        "name: leaks\nsources: [{name: rows, kind: jsonl, paths: [rows.jsonl]}]\n"
        "stages: [normalise, language, quality, {pii: {max_spans_per_1000_chars: 20, recognisers: [raises.py]}},"
        " dedup]\n"
        "sharding: {tokens_per_shard: 3000, cells: 8}\n"
    )
    # The compiler of kernels logs a hundred thousand lines, and no data.
    with caplog.at_level(logging.WARNING, logger="numba"), caplog.at_level(logging.DEBUG):
        outcome = build(tmp_path / "m.yaml", tmp_path / "out", catalogue=CATALOGUE)
    assert outcome.report.failures == []
    files = everything(tmp_path / "out")
    said = capfd.readouterr()
    files |= {"log": caplog.text, "stdout": said.out, "stderr": said.err}
    for secret in SECRETS:
        core = secret.split(" (")[0]
        assert [name for name, text in files.items() if core in text] == []
    ledger = pq.read_table(tmp_path / "out" / "ledger").to_pylist()
    assert len(ledger) == len(rows)
    failed = [row for row in ledger if row["reason"] == "stage-failed"]
    assert [(row["url"], row["rule"]["text"]) for row in failed] == [
        ("https://example.org/r", "RuntimeError in stage pii")
    ]
    spans = [span for path in (tmp_path / "out/documents").rglob("*.parquet") for span in _spans(path)]
    assert set(spans) == {"email", "ip", "iban", "card", "crypto", "phone", "id", "secret", "mac"}


def _spans(path: Path) -> list[str]:
    return [span["type"] for spans in pq.read_table(path).column("pii_spans").to_pylist() for span in spans or ()]
