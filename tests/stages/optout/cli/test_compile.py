"""`lauter optout compile`: what it writes, what it prints, and how it ends."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lauter.pipeline.cli import USAGE, app
from lauter.stages.optout.index.origins import OriginIndex


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["optout", "compile", *arguments])
    return result.exit_code, result.stdout


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    folder = tmp_path / "hosts"
    folder.mkdir()
    (folder / "a.example.txt").write_text("User-agent: GPTBot\nDisallow: /\n")
    rows = [{"origin": "https://b.example", "body": "", "fetched_at": "2025-06-01"}]
    (folder / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_an_index(tmp_path: Path, snapshot: Path) -> None:
    out = tmp_path / "index"
    code, text = run(str(snapshot), "--out", str(out), "--json")
    assert code == 0
    data = json.loads(text)
    assert data == json.loads((out / "index.json").read_text())
    assert data["policy"]["name"] == "default"
    assert data["counts"]["origins"] == 2
    for file in data["files"]:
        assert hashlib.sha256((out / file["path"]).read_bytes()).hexdigest() == file["sha256"]
    index = OriginIndex(str(out / "optout" / "robots.arrow"))
    assert (index.find(["https://a.example", "https://b.example"]) >= 0).all()
    code, text = run(str(snapshot), "--out", str(out), "--policy", "apertus-2025-01", "--as-of", "2025-01-01")
    assert code == 0
    assert "origins" in text
    assert json.loads((out / "index.json").read_text())["counts"]["after_as_of"] == 1


def test_agents_of_a_file(tmp_path: Path, snapshot: Path) -> None:
    agents = tmp_path / "mine.yaml"
    agents.write_text(json.dumps({"name": "mine", "agents": ["CCBot"]}))
    code, text = run(str(snapshot), "--out", str(tmp_path / "index"), "--agents", str(agents), "--json")
    assert code == 0
    assert json.loads(text)["agents"] == ["CCBot"]
    assert json.loads(text)["counts"]["rules"] == 0


@pytest.mark.parametrize(
    "more",
    [["--policy", "nobody"], ["--agents", "nobody"], ["--as-of", "next week"], ["--policy", "none.yaml"]],
)
def test_wrong_use(tmp_path: Path, snapshot: Path, more: list[str]) -> None:
    assert run(str(snapshot), "--out", str(tmp_path / "index"), *more)[0] == USAGE


def test_lost_bytes_are_a_warning_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "cut.jsonl").write_text('{"origin": "https://a.example", "body": ""}\n{"origin": "https://b.exa')
    result = CliRunner().invoke(app, ["optout", "compile", str(tmp_path / "cut.jsonl"), "--out", str(tmp_path / "i")])
    assert result.exit_code == 0
    assert "warning:" in result.stderr and "cut.jsonl" in result.stderr and "on_unparsable" in result.stderr
    assert f"--index {tmp_path / 'i'} URL" in result.stdout


def test_an_agent_is_no_list_of_agents(tmp_path: Path, snapshot: Path) -> None:
    result = CliRunner().invoke(
        app, ["optout", "compile", str(snapshot), "--out", str(tmp_path / "i"), "--agents", "GPTBot"]
    )
    assert result.exit_code == USAGE
    assert "unknown list of agents 'GPTBot'" in result.stderr and "YAML file" in result.stderr


def test_no_snapshot(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("")
    for path in ("nowhere", "notes.md"):
        assert run(str(tmp_path / path), "--out", str(tmp_path / "index"))[0] == USAGE
