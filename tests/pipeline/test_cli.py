"""The command line as a user meets it: exit codes, messages, JSON. Run on the real stages, with rows as the source."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from lauter.pipeline.build import print_plan
from lauter.pipeline.cli import app

TEXT = (
    "The library on the hill opens at nine in the morning and closes when the last reader has gone home. "
    "It was built by the people of the valley, who carried every stone themselves, and it has been theirs ever since. "
    "On winter evenings the children come to hear stories, and the old come to be warm among the books. "
    "There is no charge for anything, and nobody is asked what he wants to read or why he wants to read it."
)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    rows = [
        {"id": "one", "url": "https://library.example/", "date": "2024-01-02T03:04:05Z", "text": TEXT},
        {"id": "two", "url": "https://copy.example/", "date": "2024-02-02T03:04:05Z", "text": TEXT},
        {"id": "three", "url": "https://short.example/", "date": "2024-01-02T03:04:05Z", "text": "Too short."},
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "m.yaml").write_text(
        "name: rows\nsources: [{name: rows, kind: jsonl, paths: [rows.jsonl]}]\n"
        "stages: [normalise, language, quality, pii, dedup]\n"
    )
    result = run("build", str(folder / "m.yaml"), "--out", str(folder / "out"), "--executor", "inline")
    assert result.exit_code == 0, result.output
    assert "3 records" in result.output and "report/index.html" in result.output
    return folder


def test_building_again_says_that_there_is_nothing_to_do(corpus: Path) -> None:
    result = run("build", str(corpus / "m.yaml"), "--out", str(corpus / "out"), "--executor", "inline")
    assert result.exit_code == 0
    assert "nothing to do" in result.output


def test_build_json_is_the_corpus(corpus: Path) -> None:
    result = run("build", str(corpus / "m.yaml"), "--out", str(corpus / "out"), "--executor", "inline", "--json")
    data = json.loads(result.stdout)
    assert data["summary"]["verdicts"] == {"dropped": 1, "duplicate": 1, "kept": 1}


def test_explain_by_url_and_by_id(corpus: Path) -> None:
    rows = json.loads(run("explain", str(corpus / "out"), "https://copy.example/", "--json").stdout)
    assert [(row["verdict"], row["reason"]) for row in rows] == [("duplicate", "exact-duplicate")]
    kept = json.loads(run("explain", str(corpus / "out"), rows[0]["duplicate_of"], "--json").stdout)
    assert kept[0]["url"] == "https://library.example/"
    assert kept[0]["verdict"] == "kept" and kept[0]["scores"]["words"] > 50
    assert "exact-duplicate" in run("explain", str(corpus / "out"), "https://copy.example/").output
    absent = run("explain", str(corpus / "out"), "https://nowhere.example/")
    assert absent.exit_code == 1 and "not in the ledger" in absent.output


def test_audit_exit_codes(corpus: Path) -> None:
    good = run("audit", str(corpus / "out"), "--json")
    data = json.loads(good.stdout)
    assert good.exit_code == 0 and data["ok"]
    assert data["records_in"] == data["kept"] + data["dropped"] + data["duplicate"] + data["error"] + data["removed"]
    shard = next((corpus / "out/tokens").rglob("*.parquet"))
    content = shard.read_bytes()
    shard.write_bytes(content[:10] + bytes([content[10] ^ 1]) + content[11:])
    bad = run("audit", str(corpus / "out"), "--json")
    shard.write_bytes(content)
    assert bad.exit_code == 3
    assert json.loads(bad.stdout)["violations"] == ["tokens/main/00000.parquet: row group 0 was changed"]
    assert run("audit", str(corpus / "nothing")).exit_code == 2


def test_status_report_and_plan(corpus: Path) -> None:
    status = json.loads(run("status", str(corpus / "out"), "--json").stdout)
    assert status["finished"] and status["records"] == 3
    assert all(step["done"] == step["planned"] for step in status["steps"].values())
    assert run("status", str(corpus / "nothing")).exit_code == 2
    index = corpus / "out/corpus.json"
    content = index.read_text()
    old = json.loads(content) | {"lauter": "0.0.9"}
    for section in old["sections"]:
        del section["topic"]
    for data in (json.loads(content) | {"summary": {}}, old):
        index.write_text(json.dumps(data))
        broken = run("report", str(corpus / "out"))
        assert broken.exit_code == 2 and "`lauter audit` says more" in " ".join(broken.output.split())
        assert "run the same build again" in " ".join(broken.output.split())
    index.write_text(content)
    assert "of another version of Lauter (0.0.9; this is " in " ".join(broken.output.split())
    report = json.loads(run("report", str(corpus / "out"), "--json").stdout)
    assert report["funnel"][0] == {"stage": "read", "records": 3, "ended": 0, "reasons": {}}
    plan = json.loads(run("plan", str(corpus / "m.yaml"), "--out", str(corpus / "out"), "--json").stdout)
    assert plan["finished"] and plan["steps"]["documents"] == {"tasks": 1, "done": 1}
    fresh = json.loads(run("plan", str(corpus / "m.yaml"), "--out", str(corpus / "fresh"), "--json").stdout)
    assert fresh["steps"]["documents"] == {"tasks": 1, "done": 0}
    assert not (corpus / "fresh").exists(), "a plan writes nothing"
    assert "normalise" in run("plan", str(corpus / "m.yaml")).output


def test_steps_of_a_plan_stand_in_columns() -> None:
    steps = {name: {"tasks": 12, "done": 1} for name in ("keep", "number-left", "decontaminate-index")}
    out = io.StringIO()
    print_plan(Console(file=out), {"name": "x", "sources": [], "stages": [], "probes": [], "steps": steps})
    shown = [line for line in out.getvalue().splitlines() if line.endswith(" tasks done")]
    assert len(shown) == 3 and len({line.index(" of ") for line in shown}) == 1


def test_a_bad_manifest_is_exit_2_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("name: x\nsorces: []\n")
    result = run("build", str(tmp_path / "m.yaml"), "--out", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert "m.yaml:2" in result.output and "did you mean 'sources'" in result.output
    assert not (tmp_path / "out").exists()
    assert run("plan", str(tmp_path / "absent.yaml")).exit_code == 2
    assert run("build").exit_code == 2
    assert run("nonsense").exit_code == 2


def test_a_build_of_nothing_says_so(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").touch()
    (tmp_path / "m.yaml").write_text(
        "name: rows\nsources: [{name: rows, kind: jsonl, paths: [rows.jsonl]}]\nstages: [dedup]\n"
    )
    result = run("build", str(tmp_path / "m.yaml"), "--out", str(tmp_path / "out"), "--executor", "inline", "--json")
    assert result.exit_code == 0 and json.loads(result.stdout)["summary"]["tokens"] == 0
    assert result.stderr.endswith("nothing was kept: no record was read\n")


def test_version_and_help() -> None:
    assert run("--version").output.startswith("lauter ")
    shown = run("--help").output
    assert "audit" in shown
    assert "optout" in shown, "a stage's group of commands has its name in the list"


def test_stages_lists_everything_a_manifest_may_name() -> None:
    entries = json.loads(run("stages", "--json").stdout)
    assert {entry["name"] for entry in entries} >= {"warc", "jsonl", "optout", "extract", "pii", "dedup", "tokenizer"}
    for entry in entries:
        assert entry["does"], entry["name"]
        assert all(parameter["does"] for parameter in entry["parameters"]), entry["name"]
    names, kinds = ({entry[key] for entry in entries} for key in ("name", "kind"))
    listed = [line.split() for line in run("stages").output.splitlines()[: len(entries)]]
    assert all(name in names and kind in kinds for name, kind, *_ in listed), "columns are apart"
    shown = run("stages", "optout").output
    assert "on_missing" in shown and "robots-disallow" in shown
    assert run("stages", "optuot").exit_code == 2
