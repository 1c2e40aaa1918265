"""What `lauter build` and `lauter plan` refuse before any work, and how they reach a Ray cluster."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lauter.pipeline.cli import app
from lauter.pipeline.executors.ray import check_listens
from lauter.pipeline.resolve import load
from lauter.pipeline.yaml_lines import ManifestError
from tests.pipeline.small_run import write_manifest
from tests.pipeline.small_stages import CATALOGUE


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    (tmp_path / "rows.jsonl").write_text('{"text": "some text", "id": "1"}\n')
    path = tmp_path / "m.yaml"
    path.write_text("name: rows\nsources: [{name: r, kind: jsonl, paths: ['**/*.jsonl']}]\nstages: [normalise]\n")
    return path


def test_a_run_folder_that_holds_an_input_is_refused(tmp_path: Path, manifest: Path) -> None:
    (tmp_path / "out/state").mkdir(parents=True)
    (tmp_path / "out/state/x.jsonl").write_text("{}\n")
    (tmp_path / "link").symlink_to(tmp_path / "out")
    for out in ("out", "link"):
        for command in ("build", "plan"):
            result = run(command, str(manifest), "--out", str(tmp_path / out))
            assert result.exit_code == 2
            where = f"m.yaml:2: sources.0.paths.0: {tmp_path}/out/state/x.jsonl lies in the run folder {tmp_path / out}"
            assert where in result.output
    assert [item.name for item in (tmp_path / "out").rglob("*")] == ["state", "x.jsonl"], "nothing was done"
    (tmp_path / "out/state/x.jsonl").write_text('{"text": "more"}\n')
    assert run("plan", str(manifest), "--out", str(tmp_path / "ou")).exit_code == 0, "a name that begins alike"


@pytest.mark.slow
def test_a_second_build_does_not_read_the_first(tmp_path: Path, manifest: Path) -> None:
    command = ("build", str(manifest), "--out", str(tmp_path / "out"), "--executor", "inline")
    assert run(*command).exit_code == 0
    again = run(*command)
    assert again.exit_code == 0 and "nothing to do" in again.output
    manifest.write_text(manifest.read_text().replace("**/*.jsonl", "**/*"))
    refused = run(*command)
    assert refused.exit_code == 2 and f"{tmp_path}/out/corpus.json lies in the run folder" in refused.output


def test_a_stages_file_in_the_run_folder_is_refused_too(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, {"a.txt": "x\tsome text"}, [{"lookup": {"blocked": "out/list"}}])
    (tmp_path / "out").mkdir()
    (tmp_path / "out/list").write_text("")
    with pytest.raises(ManifestError, match=r"stages\.0\.lookup\.blocked: .*/out/list lies in the run folder"):
        load(str(path), CATALOGUE, str(tmp_path / "out"))
    assert load(str(path), CATALOGUE, "s3://bucket/out").stages


def test_an_unknown_scheme_is_a_usage_error(tmp_path: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for command in ("build", "plan"):
        result = run(command, str(manifest), "--out", "gs://bucket/run")
        assert result.exit_code == 2 and "only local paths and s3://" in result.output
    assert not (tmp_path / "gs:").exists()


@pytest.mark.parametrize("more", [["--workers", "2"], ["--address", "127.0.0.1:1"]])
def test_inline_takes_no_workers_and_no_address(tmp_path: Path, manifest: Path, more: list[str]) -> None:
    out = str(tmp_path / "out")
    result = run("build", str(manifest), "--out", out, "--executor", "inline", *more)
    assert result.exit_code == 2 and "--executor inline runs in this one process" in result.output
    assert not (tmp_path / "out").exists()


def test_inline_with_one_worker(tmp_path: Path, manifest: Path) -> None:
    manifest.write_text(manifest.read_text().replace("**/*", "*"))
    one = run("build", str(manifest), "--out", str(tmp_path / "out"), "--executor", "inline", "--workers", "1")
    assert one.exit_code == 0, one.output


def test_a_wrong_address_is_told_at_once(tmp_path: Path, manifest: Path) -> None:
    started = time.monotonic()
    result = run("build", str(manifest), "--out", str(tmp_path / "out"), "--address", "127.0.0.1:1")
    assert result.exit_code == 1 and "no Ray cluster at 127.0.0.1:1: " in result.output
    assert run("build", str(manifest), "--out", str(tmp_path / "out"), "--address", "nonsense").exit_code == 1
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("form", ["{}", "ray://{}"])
def test_addresses_that_listen(form: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = form.format(f"127.0.0.1:{listener.getsockname()[1]}")
        check_listens(address)
    with pytest.raises(ConnectionError, match="no Ray cluster at"):
        check_listens(address)
    with pytest.raises(ConnectionError, match="no Ray cluster at"):
        check_listens(form.format("[::1]:1"))
    with pytest.raises(ConnectionError, match="no Ray cluster at"):
        check_listens(form.format("127.0.0.1:99999"))
    check_listens("auto")


JOIN = """
import sys
from lauter.pipeline.executors.ray import RayExecutor
for workers in (None, 1, 5):
    executor = RayExecutor(workers, sys.argv[1])
    executor.close()
    print(executor.window)
"""


@pytest.mark.slow
def test_a_clusters_cores_are_the_window(tmp_path: Path) -> None:
    # Newer versions of Ray ask for a token, and read it when they are imported.
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": uuid.uuid4().hex * 2}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).parent / "ray"), "start", "--head", f"--port={port}", "--num-cpus=3", "--block"]
    command += ["--include-dashboard=false", f"--object-store-memory={80 << 20}", "--disable-usage-stats"]
    log = tmp_path / "ray.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        deadline = time.monotonic() + 60
        while b"runtime started" not in log.read_bytes():
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        join = [sys.executable, "-c", JOIN, f"127.0.0.1:{port}"]
        joined = subprocess.run(join, env=environment, capture_output=True, text=True, timeout=100, check=False)
        assert (joined.stdout.split(), joined.stderr) == (["6", "1", "5"], "")
    finally:
        process.terminate()
        process.wait(timeout=60)


def test_a_plan_shows_what_the_manifest_gives(tmp_path: Path, manifest: Path) -> None:
    manifest.write_text(manifest.read_text().replace("[normalise]", "[normalise, language: {min_score: 0.25}]"))
    shown = run("plan", str(manifest)).output
    assert "min_score=0.25" in shown and "jsonl" in shown
    data = json.loads(run("plan", str(manifest), "--json").stdout)
    (source,) = data["sources"]
    assert {"name": "r", "kind": "jsonl", "files": 1, "bytes": 33}.items() <= source.items()
    assert source["basis"] == "files"
    assert [stage["config"] for stage in data["stages"]] == [{}, {"min_score": 0.25}]
    assert data["sharding"]["stream"] == "main"
    assert {step["step"] for step in data["steps"]} >= {"documents", "pack"}
