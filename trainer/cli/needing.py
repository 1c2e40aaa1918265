"""What is told where a command needs torch and there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lauter.pipeline.cli.console import FAILED
from lauter.trainer.cli.ranks import fail_rank


@contextmanager
def needs_torch() -> Iterator[None]:
    """Around the imports of a command: leaves with a message where torch, or what is installed with it, is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "safetensors"):
            raise
        fail_rank(f"{error.name} is missing: the trainer needs torch: pip install 'lauter[train]'", FAILED)
