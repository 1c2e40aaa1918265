"""How a rank of several leaves with a message: one speaks for all where all found the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from lauter.pipeline.cli.console import INTERRUPTED, USAGE, fail


@contextmanager
def interrupt_told() -> Iterator[None]:
    """For Ctrl-C outside of the steps, which listen for it themselves: imports and loading take seconds to minutes."""
    try:
        yield
    except KeyboardInterrupt:
        fail_rank("stopped by Ctrl-C; the same command starts again, or goes on from the last checkpoint", INTERRUPTED)


def first() -> bool:
    """Whether this process speaks for all."""
    return os.environ.get("RANK", "0") == "0"


def fail_rank(message: str, code: int) -> NoReturn:
    """As `fail`; a rank of several says which it is, as not all of them need have failed."""
    rank = os.environ.get("RANK", "0")
    if code == USAGE and not first():
        raise typer.Exit(code)
    fail(message if rank == "0" else f"rank {rank}: {message}", code)
