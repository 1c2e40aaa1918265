"""Ray gives what the inline executor gives, and survives the death of its workers and of the driver."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.pipeline.small_run import build, digests, write_manifest
from tests.pipeline.test_annotate import PLACED

ROOT = Path(__file__).parents[2]
FILES = {
    f"{letter}{number}.txt": "\n".join(
        f"{letter}{number}-{i}\tsome words of text number {i % 17}" for i in range(20 + number)
    )
    for letter in "ab"
    for number in range(4)
}

DRIVER = """
import sys
from pathlib import Path
from tests.pipeline.small_run import build
outcome = build(Path(sys.argv[1]), sys.argv[2], "ray", 2)
sys.exit(1 if outcome.report.failures else 0)
"""


# A Ray session takes ten seconds of two cores to start and end, whatever is built: the suite has one of each kind.
@pytest.mark.slow
@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.soak), 2])
def test_ray_gives_the_same_bytes(tmp_path: Path, workers: int) -> None:
    # One stage has a step of its own, that takes more cores than one worker has.
    stages: list[object] = ["words", {"length": {"min_words": 2}}, {"long": {"gpus": 0.0}}, "same-text"]
    manifest = write_manifest(tmp_path, FILES, stages)
    inline = build(manifest, tmp_path / "inline", catalogue=PLACED)
    ray = build(manifest, tmp_path / "ray", "ray", workers, PLACED)
    assert ray.report.failures == []
    if workers == 1:
        content = manifest.read_text().replace("gpus: 0.0", "gpus: 1.0")
        manifest.write_text(content)
        (failure, *_) = build(manifest, tmp_path / "no-gpu", "ray", workers, PLACED).report.failures
        assert "wants 1 GPU and this machine has 0" in failure.error
    assert digests(tmp_path / "ray") == digests(tmp_path / "inline")
    assert ray.corpus["lineage"] == inline.corpus["lineage"]


def _start(manifest: Path, out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(manifest), str(out)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def _wait_for_tasks(out: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while len(list((out / "state").rglob("*.json"))) < count and process.poll() is None:
        assert time.monotonic() < deadline, "the build made no progress"
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    "tasks", [pytest.param(3, marks=pytest.mark.soak), 25, pytest.param(60, marks=pytest.mark.soak)]
)
def test_a_killed_driver_resumes(tmp_path: Path, tasks: int) -> None:
    manifest, out = write_manifest(tmp_path, FILES), tmp_path / "out"
    process = _start(manifest, out)
    _wait_for_tasks(out, tasks, process)
    # The driver alone: its workers find their own end, or give up when the next build claims the folder.
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "corpus.json").exists()
    outcome = build(manifest, out)
    assert outcome.report.failures == [] and outcome.report.cached > 0
    build(manifest, tmp_path / "whole")
    assert digests(out) == digests(tmp_path / "whole")


@pytest.mark.slow
def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    manifest, out = write_manifest(tmp_path, FILES), tmp_path / "out"
    process = _start(manifest, out)
    _wait_for_tasks(out, 5, process)
    killed = 0
    for child in psutil.Process(process.pid).children(recursive=True):
        # Only task workers: Ray's node ends with its agents, and that is the death of a node, not of a worker.
        if " ".join(child.cmdline()).startswith(("ray::execute", "ray::IDLE")):
            child.kill()
            killed += 1
    assert killed > 0
    assert process.wait(timeout=120) == 0
    build(manifest, tmp_path / "whole")
    assert digests(out) == digests(tmp_path / "whole")
