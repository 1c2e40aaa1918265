"""Settings of the trainer's tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
import torch

# Two test processes share two cores.
torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _signals_are_heard() -> Iterator[None]:
    """A shell without job control has its background processes ignore SIGINT, and the trainer leaves that so."""
    ignored = [number for number in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
