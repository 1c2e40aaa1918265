"""The note that kernels are being compiled."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from lauter.pipeline.cli.compiling import NOTE, told_of_kernels


def _waited(folder: Path, appears: str, written: float, seconds: float) -> None:
    """A command within which a file appears, and which runs until nothing watches it any more, or some seconds."""
    before = set(threading.enumerate())
    with told_of_kernels(folder, 0.01):
        path = folder / "room" / appears
        path.parent.mkdir(parents=True)
        path.touch()
        os.utime(path, (written, written))
        deadline = time.monotonic() + seconds
        while set(threading.enumerate()) - before and time.monotonic() < deadline:
            time.sleep(0.005)


def test_new_machine_code_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _waited(tmp_path / "digest", "kernel.nbc", time.time() + 1, 60)
    told = capsys.readouterr()
    assert told.err.count(NOTE) == 1 and str(tmp_path) in told.err and told.out == ""


@pytest.mark.parametrize(("appears", "seconds_ago"), [("kernel.nbi", 0), ("kernel.nbc", 3600)])
def test_nothing_is_told_where_nothing_is_compiled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], appears: str, seconds_ago: int
) -> None:
    _waited(tmp_path / "digest", appears, time.time() - seconds_ago, 0.1)
    assert capsys.readouterr().err == ""
