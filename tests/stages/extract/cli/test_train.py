from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest
from fastwarc.warc import WarcRecord, WarcRecordType
from typer.testing import CliRunner

from lauter.stages.extract.blocks.rule import load
from lauter.stages.extract.cli import app
from tests.stages.extract.blocks.made_pages import made_page

runner = CliRunner()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pages of invented sites as a folder of test data."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "warc").mkdir()
    known, index = [], []
    with (folder / "warc" / "aeb.warc.gz").open("wb") as warc:
        for number in range(10):
            page = made_page(number)
            record = WarcRecord()
            record.init_headers(record_type=WarcRecordType.response)
            record.is_http = True
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
            record.set_bytes_content(head + page.html)
            out = io.BytesIO()
            record.write(out)
            warc.write(gzip.compress(out.getvalue(), mtime=0))
            known.append({"id": page.id, "record_id": record.record_id, "gt": {"text": page.truth}})
            index.append({"id": page.id, "key": page.domain, "lang": "en"})
    with gzip.open(folder / "ground_truth.jsonl.gz", "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in known)
    (folder / "index.jsonl").write_text("".join(json.dumps(row) + "\n" for row in index), encoding="utf-8")
    return folder


def test_a_rule_is_trained_told_and_never_overwritten(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "rule.npz"
    arguments = ["train", str(data), "--out", str(out), "--set", "aeb"]
    result = runner.invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert told["out"] == str(out) and 0 < told["pages"] < 10 and told["blocks"] == 16 * told["pages"]
    assert len(load(out).first.feature) == 60
    again = runner.invoke(app, arguments)
    assert again.exit_code == 2 and "never overwritten" in again.output


def test_what_is_missing_is_told(data: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "rule.npz")
    missing = runner.invoke(app, ["train", str(tmp_path), "--out", out])
    assert missing.exit_code == 2 and "ground_truth.jsonl.gz" in missing.output
    other = runner.invoke(app, ["train", str(data), "--out", out, "--set", "fundus"])
    assert other.exit_code == 2 and "fundus.warc.gz" in other.output
    assert not Path(out).exists()
