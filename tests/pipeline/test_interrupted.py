"""Ctrl-C while the command line is still being loaded: the code of an interruption, and no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lauter.pipeline.cli import INTERRUPTED

MAIN = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
signal.signal(signal.SIGINT, signal.{handler})
from lauter.pipeline.cli import main
main()
"""


def run(module: str, handler: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, sent SIGINT when it begins to import a module."""
    code = MAIN.format(module=module, handler=handler)
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


# The app, a library below it, and what a command imports when it is called.
@pytest.mark.parametrize("module", ["lauter.pipeline.cli.commands", "numpy", "lauter.pipeline.resolve"])
def test_it_leaves_at_once_and_quietly(module: str, tmp_path: Path) -> None:
    found = run(module, "default_int_handler", "plan", str(tmp_path / "m.yaml"))
    assert (found.returncode, found.stdout, found.stderr.strip()) == (INTERRUPTED, "", "")


def test_who_is_told_to_ignore_it_goes_on() -> None:
    # As `nohup lauter … &` of a shell without job control is.
    found = run("numpy", "SIG_IGN", "--version")
    assert found.returncode == 0 and found.stdout.startswith("lauter ")
