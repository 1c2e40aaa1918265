"""`kill -9` of the driver, or of a Ray worker, at random moments of a real build: the output is the undisturbed one."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.pipeline.small_run import digests

ROOT = Path(__file__).parents[2]
MOMENTS = 20

pytestmark = pytest.mark.soak


def _command(out: Path) -> list[str]:
    lauter = Path(sys.executable).with_name("lauter")
    return [str(lauter), "build", "manifests/quickstart.yaml", "--out", str(out), "--workers", "2"]


def _start(out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        _command(out), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def _kill_one_worker(driver: int) -> int:
    children = psutil.Process(driver).children(recursive=True)
    workers = [child for child in children if " ".join(child.cmdline()).startswith(("ray::execute", "ray::IDLE"))]
    for worker in workers[:1]:
        worker.kill()
    return len(workers[:1])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], float]:
    subprocess.run([sys.executable, "-m", "quickstart.build_web", ".cache/quickstart"], cwd=ROOT, check=True)
    folder = tmp_path_factory.mktemp("kill")
    # The first run compiles kernels, in minutes; a moment drawn from that time finds nothing to kill.
    for out in (folder / "first", folder / "whole"):
        started = time.monotonic()
        assert subprocess.run(_command(out), cwd=ROOT, stdout=subprocess.DEVNULL).returncode == 0
        seconds = time.monotonic() - started
    return digests(folder / "whole"), seconds


def test_kills_at_random_moments(tmp_path: Path, undisturbed: tuple[dict[str, str], float]) -> None:
    expected, seconds = undisturbed
    killed = 0
    draw = random.Random(20261123)
    for moment in range(MOMENTS):
        out = tmp_path / str(moment)
        process = _start(out)
        delay = draw.uniform(0.05, 0.7) * seconds
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=delay)
            if moment % 2:
                killed += process.poll() is None
                process.kill()
                process.wait()
            else:
                killed += _kill_one_worker(process.pid)
                assert process.wait(timeout=600) == 0
        except psutil.NoSuchProcess:
            assert process.wait() == 0
        again = subprocess.run(_command(out), cwd=ROOT, capture_output=True, text=True)
        assert again.returncode == 0, (moment, delay, again.stderr)
        assert digests(out) == expected, (moment, delay)
    # On a busy machine a moment may find that the run has ended, or that no worker has begun.
    assert killed >= MOMENTS // 2, "most moments must have found something to kill"
