"""Threads of compiled passes follow torch's."""

from __future__ import annotations

from collections.abc import Iterator

import numba
import pytest
import torch

from lauter.trainer.threads import threads


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("torch_threads", "elements", "expected"), [(1, 1 << 20, 1), (2, 1 << 20, 2), (2, 1 << 16, 1)])
def test_as_many_as_torch_unless_small(torch_threads: int, elements: int, expected: int) -> None:
    torch.set_num_threads(torch_threads)
    outside = numba.get_num_threads()
    with threads(elements):
        assert numba.get_num_threads() == min(expected, numba.config.NUMBA_NUM_THREADS)
    assert numba.get_num_threads() == outside


def test_more_than_the_machine_has_is_as_many_as_it_has() -> None:
    torch.set_num_threads(numba.config.NUMBA_NUM_THREADS + 3)
    with threads(1 << 20):
        assert numba.get_num_threads() == numba.config.NUMBA_NUM_THREADS


def test_an_error_inside_puts_them_back() -> None:
    outside = numba.get_num_threads()
    with pytest.raises(KeyError), threads(1):
        raise KeyError
    assert numba.get_num_threads() == outside
