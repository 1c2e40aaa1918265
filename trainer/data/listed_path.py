"""Paths that `tokens/index.json` lists: a corpus of strangers may name files of its own folder only."""

from __future__ import annotations

INDEX = "tokens/index.json"


def require_inside(path: object, folder: str) -> None:
    """Check that a listed path is one of a file under `folder`, on every system.

    Raises:
        ValueError: it is absolute, has a drive, a `.` or `..`, or lies elsewhere; names the path.

    >>> require_inside("tokens/main/00000.parquet", "tokens")
    >>> require_inside("tokens/../secret.json", "tokens")
    Traceback (most recent call last):
    ValueError: tokens/index.json lists 'tokens/../secret.json', which is no file under tokens/
    """
    parts = path.removeprefix(f"{folder}/").split("/") if isinstance(path, str) else []
    inside = isinstance(path, str) and path.startswith(f"{folder}/") and not {"", ".", ".."} & {*parts}
    if not inside or any(character in str(path) for character in "\\:\0"):
        raise ValueError(f"{INDEX} lists {path!r}, which is no file under {folder}/")
