"""One run a folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lauter.trainer.loop.errors import RunFailed
from lauter.trainer.loop.lock import LOCK, locked

HOLD = (
    "import sys, time\nfrom pathlib import Path\nfrom lauter.trainer.loop.lock import locked\n"
    "with locked(Path(sys.argv[1]), print):\n print('held', flush=True)\n time.sleep(60)\n"
)


def test_the_kernel_lets_go_of_it_when_its_holder_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(RunFailed, match=rf"is in use by process {holder.pid} on .*; wait for its end"),
            locked(tmp_path, print),
        ):
            pytest.fail("two hold it")
        holder.send_signal(signal.SIGKILL)
    with locked(tmp_path, print):
        assert (tmp_path / LOCK).read_text().startswith(f"process {os.getpid()} on ")
    with locked(tmp_path, print):
        pass
