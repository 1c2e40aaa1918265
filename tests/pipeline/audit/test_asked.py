"""What an audit with a snapshot or policy of the auditor's does, and what it says where that cannot be done."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from lauter.pipeline.cli import app
from lauter.stages.optout import data_file

MANIFEST = """\
name: t
sources: [{name: s, kind: parquet, paths: ["*.parquet"]}]
stages: [{optout: {snapshot: [one.jsonl, two.jsonl], hosts_file: hosts.yaml}}]
"""
URLS = (
    "https://a.example/1",
    "HTTPS://A.example:443/2",
    "https://b.example/1",
    "http://c.example/1",
    "https://odd.example/1",
)
RULES = "User-agent: CCBot\nDisallow: /private\n"
BODIES = {
    "one.jsonl": {"https://a.example": RULES},
    "two.jsonl": {"https://c.example": RULES, "https://odd.example": "User-agent: CCBot\nDisalow: /private\n"},
    "denies.jsonl": {"https://b.example": "User-agent: CCBot\nDisallow: /\n"},
    "elsewhere.jsonl": {"https://z.example": RULES},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    texts = [f"Page {number} says something." for number in range(len(URLS))]
    pq.write_table(pa.table({"url": URLS, "text": texts}), tmp_path / "a.parquet")
    for name, bodies in BODIES.items():
        rows = [json.dumps({"origin": origin, "body": body}) + "\n" for origin, body in bodies.items()]
        (tmp_path / name).write_text("".join(rows))
    (tmp_path / "hosts.yaml").write_text("allow: []\n")
    (tmp_path / "t.yaml").write_text(MANIFEST)
    built = CliRunner().invoke(app, ["build", "t.yaml", "--out", "out"])
    assert built.exit_code == 0, built.output
    return tmp_path


def _audit(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["audit", "out", *arguments])
    return result.exit_code, result.output


@pytest.mark.usefixtures("folder")
def test_how_many_origins_the_snapshot_answers_is_told() -> None:
    code, output = _audit()
    assert code == 0 and output.endswith("the audit holds\n")
    told = "5 kept records derived again (optout): the snapshot has an answer for 3 of 4 origins of the kept pages\n"
    assert told in output and "1 input counted again" in output
    assert "the robots.txt of 1 origin is spelled so that two readers may differ" in output
    code, output = _audit("--robots", "elsewhere.jsonl")
    assert code == 0 and "an answer for 0 of 4 origins" in output and "note: optout: the snapshot has an" in output
    code, output = _audit("--robots", "one.jsonl", "--json")
    assert json.loads(output)["decisions_covered"] == {"optout": {"answered": 1, "odd": 0, "origins": 4}}
    assert json.loads(output)["decisions_not_derived"] == []


@pytest.mark.usefixtures("folder")
def test_another_reading_of_the_owners_is_mended_by_a_rebuild_or_a_takedown() -> None:
    code, output = _audit("--robots", "denies.jsonl")
    assert code == 3 and "https://b.example/1" in output
    assert output.count("hint: ") == 1 and "rebuild with this snapshot or policy" in output
    assert "`lauter takedown`" in output and "the audit holds" not in output
    code, output = _audit("--robots", "denies.jsonl", "--root", "0" * 64)
    assert code == 3 and output.count("hint: ") == 2 and "hint: ask for the present root" in output


def test_without_its_files_an_audit_says_what_it_left_out_or_that_it_cannot_do_it(folder: Path) -> None:
    (folder / "one.jsonl").unlink()
    with (folder / "two.jsonl").open("a") as file:
        file.write("\n")
    both = (f"{folder / 'one.jsonl'} is not here any more", f"{folder / 'two.jsonl'} has changed since the build")
    code, output = _audit()
    assert code == 0 and all(said in output for said in both)
    assert output.endswith("the audit holds, but decisions of optout were not derived again\n")
    code, output = _audit("--json")
    found = json.loads(output)
    assert (
        code == 0 and found["ok"] and found["decisions_not_derived"] == ["optout"] and found["decisions_derived"] == {}
    )
    code, output = _audit("--policy", "strict")
    assert code == 2 and all(said in output for said in both) and "--robots" in output and "audit holds" not in output
    code, output = _audit("--robots", "elsewhere.jsonl")
    assert code == 0 and output.endswith("the audit holds\n")
    (folder / "hosts.yaml").write_text("allow: [{host: a.example, reason: forged}]\n")
    code, output = _audit("--robots", "elsewhere.jsonl")
    assert code == 2 and f"{folder / 'hosts.yaml'} has changed since the build" in output
    code, output = _audit("--robots", "elsewhere.jsonl", "--policy", "default")
    assert code == 0 and output.endswith("the audit holds\n")


def test_a_policy_is_a_name_or_a_file(folder: Path) -> None:
    own = data_file.__file__.replace("data_file.py", "policies/default.yaml")
    (folder / "own.yaml").write_text(Path(own).read_text().replace("on_missing: allow", "on_missing: deny"))
    for given, code, why in (
        ("default", 0, "the audit holds"),
        ("own.yaml", 3, "https://b.example/1"),
        (str(folder / "own.yaml"), 3, "on_missing: deny"),
        ("nobody", 2, "nobody"),
        ("nowhere.yaml", 2, "nowhere.yaml is not there"),
    ):
        found, output = _audit("--policy", given)
        assert found == code and why in output, (given, output)
    code, output = _audit("--robots", "nowhere.jsonl", "--robots", "no.parquet")
    assert code == 2 and "Errno" not in output
    assert f"{folder / 'nowhere.jsonl'} is not there; {folder / 'no.parquet'} is not there" in output


def test_no_stage_that_could_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pq.write_table(pa.table({"url": URLS, "text": ["x"] * len(URLS)}), tmp_path / "a.parquet")
    (tmp_path / "t.yaml").write_text(MANIFEST.partition("stages:")[0] + "stages: [dedup]\n")
    built = CliRunner().invoke(app, ["build", "t.yaml", "--out", "out"])
    assert built.exit_code == 0, built.output
    assert _audit()[0] == 0
    code, output = _audit("--policy", "strict")
    assert code == 2 and "no stage of this corpus has decisions" in output
