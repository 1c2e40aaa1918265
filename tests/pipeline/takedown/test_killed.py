"""A takedown that was killed anywhere is finished by the next one, or by the next build."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lauter.pipeline.storage import Storage
from tests.pipeline.small_run import build
from tests.pipeline.takedown.masked import take, url


class Killed(BaseException):
    """Like `kill -9`, but for what is deleted on the way out."""


def _kill_at(monkeypatch: pytest.MonkeyPatch, left: int) -> list[int]:
    """Raise in place of the given publishing or deleting of a file; the list counts those that happened."""
    count = [0]

    def counted(name: str) -> None:
        real = getattr(Storage, name)

        def wrapped(self: Storage, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the method has
            if count[0] == left:
                raise Killed
            count[0] += 1
            return real(self, *args, **kwargs)

        monkeypatch.setattr(Storage, name, wrapped)

    counted("_check_claim")
    counted("delete")
    return count


def _whole(out: Path) -> dict[str, bytes]:
    skipped = ("state/run", "state/lock", "state/staging")
    files = [path for path in sorted(out.rglob("*")) if path.is_file()]
    named = {str(path.relative_to(out)): path for path in files}
    return {name: path.read_bytes() for name, path in named.items() if not name.startswith(skipped)}


@pytest.mark.parametrize(
    ("finish", "stride"),
    [
        pytest.param("takedown", 9, marks=pytest.mark.slow),
        pytest.param("build", 13, marks=pytest.mark.slow),
        pytest.param("takedown", 1, marks=pytest.mark.soak),
        pytest.param("build", 1, marks=pytest.mark.soak),
    ],
)
def test_a_takedown_that_was_killed_anywhere_is_finished(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finish: str, stride: int
) -> None:
    shutil.copytree(folder / "out", tmp_path / "before")
    with monkeypatch.context() as patch:
        steps = _kill_at(patch, -1)
        outcome = take(folder, url("kept"), url("short"))
    expected = _whole(folder / "out")
    assert outcome.root is not None and steps[0] > 20
    for step in range(1, steps[0], stride):
        shutil.rmtree(folder / "out")
        shutil.copytree(tmp_path / "before", folder / "out")
        with monkeypatch.context() as patch, pytest.raises(Killed):
            _kill_at(patch, step)
            take(folder, url("kept"), url("short"))
        if finish == "takedown":
            take(folder, url("kept"), url("short"))
        else:
            started = (folder / "out/state/takedown.json").exists()
            build(folder / "manifest.yaml", folder / "out")
            if not started:
                continue
        assert _whole(folder / "out") == expected, step


@pytest.mark.soak
def test_kill_9_at_random_moments(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "out", tmp_path / "before")
    (tmp_path / "urls.txt").write_text("https://kept.example/\nhttps://short.example/\n")
    command = [str(Path(sys.executable).with_name("lauter")), "takedown", str(folder / "out")]
    command += ["--urls", str(tmp_path / "urls.txt")]
    started = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - started
    expected = _whole(folder / "out")
    draw, killed = random.Random(20261125), 0
    for moment in range(20):
        shutil.rmtree(folder / "out")
        shutil.copytree(tmp_path / "before", folder / "out")
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        time.sleep(draw.uniform(0.4, 1.0) * seconds)
        killed += process.poll() is None
        process.kill()
        process.wait()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        assert _whole(folder / "out") == expected, moment
    assert killed >= 10
