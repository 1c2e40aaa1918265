"""How the end of the ranks of a run is judged."""

from __future__ import annotations

from collections.abc import Iterable

from lauter.pipeline.cli import FAILED, INTERRUPTED, USAGE

FINAL = (0, USAGE, INTERRUPTED)
"""Exit codes after which a run is not started again: finished or saved, a wrong config, Ctrl-C."""

WAIT_SECONDS = 60
"""Of the other ranks, once the first one has ended: those that lost it end by themselves, or hang and are killed."""


def code_of(codes: Iterable[int]) -> int:
    """One exit code for all ranks. A rank that a signal killed has a negative one.

    A wrong config is the cause even where other ranks only saw that one was gone.

    >>> code_of([1, 2, -9]), code_of([0, 130]), code_of([0, -9]), code_of([75, 75]), code_of([0, 0])
    (2, 130, 1, 75, 0)
    """
    found = [FAILED if code < 0 else code for code in codes]
    return next((one for one in (USAGE, INTERRUPTED) if one in found), max(found))
