"""`lauter optout compile`: snapshots to the index that the stage maps."""

from __future__ import annotations


def compile_index() -> None:
    """Compile snapshots to an index."""
