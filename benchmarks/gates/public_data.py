"""Where the public test data of the gates lie."""

from __future__ import annotations

import os
from pathlib import Path


class MissingTestData(Exception):
    """The message says what is missing and how to name it."""


def public_data(*parts: str) -> Path:
    """A file or folder of the public test data. Raises `MissingTestData` where it is not there."""
    root = Path(os.environ.get("LAUTER_TEST_DATA") or Path(__file__).resolve().parents[2] / "../shared/data").resolve()
    path = root.joinpath(*parts)
    if not path.exists():
        raise MissingTestData(f"{path} is missing: LAUTER_TEST_DATA must name the folder of the public test data")
    return path
