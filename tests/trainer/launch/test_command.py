from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lauter.trainer.launch.command import TrainCommand, beside_python


def test_every_argument_is_handed_on() -> None:
    command = TrainCommand("c.yaml", ("a=1", "b=2"), "out", ("d", "e"), "from", 2000, "long", "full")
    assert command.words() == [
        *("train", "c.yaml", "a=1", "b=2", "--out", "out", "--data", "d", "--data", "e"),
        *("--from", "from", "--cooldown", "2000", "--phase", "long", "--verify", "full"),
    ]


def test_programs_of_this_environment_have_paths() -> None:
    assert Path(beside_python("torchrun")).is_absolute()
    assert beside_python("no-such-program") == "no-such-program"


@pytest.mark.parametrize("ours", [True, False])
def test_a_bound_process_needs_its_parent(*, ours: bool) -> None:
    command = [sys.executable, "-m", "lauter.trainer.launch.bound", str(os.getpid() if ours else 1), "--version"]
    found = subprocess.run(command, capture_output=True, check=False)
    # One whose parent is another already must not begin.
    assert (found.returncode, found.stdout[:7]) == ((0, b"lauter ") if ours else (-9, b""))
