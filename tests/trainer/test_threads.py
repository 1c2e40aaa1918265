"""Threads of compiled passes follow torch's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numba
import pytest
import torch

from lauter.trainer.threads import threads

# Its variables are made when numba is imported.
CONFIG: Any = numba.config


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("torch_threads", "elements", "expected"), [(1, 1 << 20, 1), (2, 1 << 20, 2), (2, 1 << 16, 1)])
def test_as_many_as_torch_unless_small(torch_threads: int, elements: int, expected: int) -> None:
    # Asked first: the question may start numba's pool, which sets torch's threads (see the last test).
    outside = numba.get_num_threads()
    torch.set_num_threads(torch_threads)
    with threads(elements):
        assert numba.get_num_threads() == min(expected, CONFIG.NUMBA_NUM_THREADS)
    assert numba.get_num_threads() == outside


def test_more_than_the_machine_has_is_as_many_as_it_has() -> None:
    numba.get_num_threads()
    torch.set_num_threads(CONFIG.NUMBA_NUM_THREADS + 3)
    with threads(1 << 20):
        assert numba.get_num_threads() == CONFIG.NUMBA_NUM_THREADS


def test_an_error_inside_puts_them_back() -> None:
    outside = numba.get_num_threads()
    with pytest.raises(KeyError), threads(1):
        raise KeyError
    assert numba.get_num_threads() == outside


def test_torch_keeps_its_threads_when_numba_starts() -> None:
    program = (
        "import torch; torch.set_num_threads(1)\n"
        "from lauter.trainer.threads import threads\n"
        "with threads(1 << 20): pass\n"
        "print(torch.get_num_threads())"
    )
    # In this process numba has long started.
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "1\n"
