from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
import torch

from lauter.trainer.loop.signals import ENDING, Signals
from lauter.trainer.parallel.ranks import Ranks

ALONE = Ranks(0, 1, torch.device("cpu"))


@pytest.mark.parametrize("number", ENDING)
def test_an_ending_signal_is_noted(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Signals(speaks=False) as signals:
        assert signals.agreed(ALONE) is None
        os.kill(os.getpid(), number)
        assert signals.agreed(ALONE) is number
    assert signal.getsignal(number) == before


def test_the_first_one_counts() -> None:
    with Signals(speaks=False) as signals:
        os.kill(os.getpid(), signal.SIGUSR2)
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.agreed(ALONE) is signal.SIGUSR2


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals(speaks=False) as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signals.agreed(ALONE) is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_ctrl_c_ends_the_process_at_once() -> None:
    code = (
        "import os, signal\n"
        "from lauter.trainer.loop.signals import Signals\n"
        "with Signals(speaks=True) as signals:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print(signals.received.name, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print('still here', flush=True)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.stdout == "SIGINT\n"
    assert found.stderr == "SIGINT: finishing the step and saving; again to leave at once\n"
    assert found.returncode == -signal.SIGINT
