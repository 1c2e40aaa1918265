"""`lauter optout check`: plain words, JSON, exit codes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from lauter.stages.optout.cli import app
from lauter.stages.optout.config import OptOutConfig

ROBOTS = """\
User-agent: GPTBot
Disallow: /a
Allow: /a/b

User-agent: CCBot, ClaudeBot
Disallow: /q
"""


@pytest.fixture
def robots(tmp_path: Path) -> str:
    path = tmp_path / "robots.txt"
    path.write_text(ROBOTS)
    return str(path)


def run(*arguments: str, given: str | bytes | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["check", *arguments], input=given)
    return result.exit_code, result.stdout, result.stderr


def test_plain_words(robots: str) -> None:
    code, out, _ = run("--robots", robots, "--agents", "GPTBot,CCBot", "https://a.example/a", "/z")
    assert code == 0
    assert out.splitlines() == [
        "https://a.example/a: denied",
        "  denied  to GPTBot; line 2: Disallow: /a",
        "  allowed to CCBot; no rule speaks of it",
        "/z: allowed",
        "  allowed to GPTBot, CCBot; no rule speaks of it",
    ]


def test_json_has_every_agent_of_the_policy(robots: str) -> None:
    code, out, _ = run("--robots", robots, "--policy", "apertus-2025-01", "--json", "/a/b")
    assert code == 0
    (answer,) = json.loads(out)
    assert answer["allowed"] is True
    deciding, silent = answer["decisions"]
    assert deciding == {"allowed": True, "rule": "Allow: /a/b", "line": 3, "known": True, "agents": ["GPTBot"]}
    assert silent["rule"] is None
    assert "AI2Bot" in silent["agents"] and "*" in silent["agents"]


def test_what_only_a_build_or_an_older_reader_sees(robots: str) -> None:
    _, out, _ = run("--robots", robots, "--agents", "ClaudeBot", "/q")
    assert out.splitlines()[0] == "/q: allowed by RFC 9309, but a build drops it"
    assert "a build counts line 6 as an opt-out" in out
    _, out, _ = run("--robots", robots, "--agents", "GPTBot", "--strict", "/a/b")
    assert "a first-match reader denies it by line 2: Disallow: /a (GPTBot)" in out
    _, out, _ = run("--robots", robots, "--agents", "GPTBot", "--strict", "/a")
    assert "first-match" not in out


def test_a_page_of_html_is_not_permission(tmp_path: Path) -> None:
    page = tmp_path / "robots.txt"
    page.write_text("<!DOCTYPE html><p>Not found</p>")
    code, out, _ = run("--robots", str(page), "/a")
    assert code == 0
    assert "allowed" not in out and "nobody knows" in out
    _, out, _ = run("--robots", str(page), "--json", "/a")
    answer = json.loads(out)[0]
    assert answer["allowed"] is None
    assert {decision["allowed"] for decision in answer["decisions"]} == {None}


def test_standard_input() -> None:
    code, out, _ = run("--robots", "-", "--agents", "GPTBot", "/a", given=ROBOTS)
    assert (code, out.splitlines()[0]) == (0, "/a: denied")
    row = {"robots": ROBOTS, "agent": "GPTBot", "url": "/a"}
    code, out, _ = run("--batch", "-", given=json.dumps(row).encode() + b"\n\xff\n")
    first, second = map(json.loads, out.splitlines())
    assert code == 0
    assert first == row | {"allowed": False, "rule": "Disallow: /a", "line": 2}
    assert second["error"] == "line 2: not JSON"


def test_a_compiled_index(tmp_path: Path, robots: str) -> None:
    snapshot = tmp_path / "robots.jsonl"
    row = {"origin": "https://a.example", "status": 200, "body": ROBOTS, "fetched_at": "2026-01-02T03:04:05Z"}
    snapshot.write_text(json.dumps(row) + "\n")
    index = str(tmp_path / "index")
    assert CliRunner().invoke(app, ["compile", str(snapshot), "--out", index]).exit_code == 0
    code, out, _ = run(
        "--index", index, "--json", "https://a.example/a", "https://a.example/q", "http://b.example", "x"
    )
    assert code == 0
    denied, spelt, missing, nowhere = json.loads(out)
    assert (denied["reason"], denied["rule"], denied["line"]) == ("robots-disallow", "Disallow: /a", 2)
    assert denied["agents"] == ["GPTBot"]
    assert denied["fetched_at"].startswith("2026-01-02T03:04:05")
    assert spelt["allowed"] is False
    assert (missing["allowed"], missing["outcome"]) == (True, "missing")
    assert (nowhere["allowed"], nowhere["reason"]) == (False, "no-origin")
    code, out, _ = run("--index", index, "https://a.example/a")
    assert out.splitlines()[:2] == [
        "https://a.example/a: denied",
        "  robots-disallow (robots.txt, line 2): Disallow: /a",
    ]


def test_a_digest_is_said_to_be_that_of_its_file(tmp_path: Path) -> None:
    body = json.dumps([{"location": "/", "tdm-reservation": 1}])
    rows = [
        {"robots_url": "https://a.example/robots.txt", "status": 200, "body": ROBOTS, "fetched_at": "2026-01-02"},
        {"url": "https://a.example/.well-known/tdmrep.json", "status": 200, "body": body, "fetched_at": "2026-01-03"},
    ]
    (tmp_path / "s.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    index = str(tmp_path / "index")
    assert CliRunner().invoke(app, ["compile", str(tmp_path / "s.jsonl"), "--out", index]).exit_code == 0
    _, out, _ = run("--index", index, "--json", "https://a.example/z", "https://a.example/a")
    by_tdmrep, by_robots = json.loads(out)
    for answer, file, content in ((by_tdmrep, "tdmrep.json", body), (by_robots, "robots.txt", ROBOTS)):
        assert (answer["file"], answer["sha256"]) == (file, hashlib.sha256(content.encode()).hexdigest())
    _, out, _ = run("--index", index, "https://a.example/z")
    robots, tdmrep = out.splitlines()[-2:]
    assert robots.strip().startswith("robots.txt of its origin") and "SHA-256" not in robots
    assert tdmrep.strip().startswith("tdmrep.json: fetched 2026-01-03") and by_tdmrep["sha256"] in tdmrep


def test_the_run_folder_of_a_build_is_an_index_too(tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text(json.dumps({"origin": "https://a.example", "body": ROBOTS}) + "\n")
    index = tmp_path / "index"
    assert CliRunner().invoke(app, ["compile", str(tmp_path / "s.jsonl"), "--out", str(index)]).exit_code == 0
    (index / "index.json").unlink()
    code, _, err = run("--index", str(index), "https://a.example/a")
    assert (code, "holds no index.json" in err) == (2, True)
    allow = [{"host": "a.example", "reason": "licence 7"}]
    config = OptOutConfig.model_validate({"allow_hosts": allow}).model_dump(mode="json")
    (index / "manifest.lock.yaml").write_text(yaml.safe_dump({"stages": [{"optout": {"config": config}}]}))
    code, out, err = run("--index", str(index), "--json", "https://a.example/a")
    assert (code, err) == (0, "")
    assert (json.loads(out)[0]["allowed"], json.loads(out)[0]["outcome"]) == (True, "host-list")
    (index / "manifest.lock.yaml").write_text("stages: 3")
    assert run("--index", str(index), "/")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["/a"], "give one of --batch, --index and --robots"),
        (["--robots", "R", "--index", "I", "/a"], "give one of"),
        (["--robots", "R"], "name at least one URL"),
        (["--robots", "R", "/a", "nonsense"], "'nonsense': neither an http(s) URL nor a path"),
        (["--robots", "R", "ftp://x/y"], "'ftp://x/y': neither"),
        (["--robots", "/nowhere/robots.txt", "/a"], "/nowhere/robots.txt: No such file"),
        (["--batch", "/nowhere/rows.jsonl"], "/nowhere/rows.jsonl: No such file"),
        (["--batch", "-", "/a"], "--batch has its agents and URLs in the rows"),
        (["--index", "/nowhere", "/a"], "lauter optout compile"),
        (["--index", "/nowhere", "--strict", "/a"], "compiled for its own policy"),
        (["--robots", "R", "--agents", " ,", "/a"], "names nobody"),
        (["--robots", "R", "--policy", "nope", "/a"], "policy 'nope'"),
        (["--robots", "R", "--policy", "/nowhere/p.yaml", "/a"], "/nowhere/p.yaml: No such file"),
        (["--robots", "R", "--policy", "strict", "--agents", "x", "/a"], "not both"),
    ],
)
def test_usage_errors(robots: str, arguments: list[str], error: str) -> None:
    code, out, err = run(*(robots if one == "R" else one for one in arguments))
    assert (code, out) == (2, "")
    assert error in " ".join(err.split())
