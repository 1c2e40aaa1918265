"""Files of one JSON object a line and a step, in which no step stands twice."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

BLOCK = 1 << 16
"""Bytes read at once from the end of a log: some hundred lines."""


class StepLog:
    """A file of lines that have a `step`, in order; appended to, and cut where a run goes back."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def cut(self, step: int) -> None:
        """Drop all lines after this step, and a last line that was not finished."""
        if not self._path.exists():
            return
        with self._path.open("r+b") as file:
            end = next((end for found, _, end in _backwards(file) if found <= step), 0)
            file.truncate(end)
            os.fsync(file.fileno())

    def add(self, line: Mapping[str, Any]) -> None:
        """Append one line; a number that is not finite becomes null, as JSON has none."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(finite(line), ensure_ascii=False, allow_nan=False) + "\n")

    def last(self) -> dict[str, Any] | None:
        """The last line, if there is one."""
        if not self._path.exists():
            return None
        with self._path.open("rb") as file:
            return next((line for _, line, _ in _backwards(file)), None)


def finite(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """The value with null in place of every number that is not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return value


def _backwards(file: BinaryIO) -> Iterator[tuple[int, dict[str, Any], int]]:
    """Step, line and where it ends, from the last whole line to the first: a log of months is not read for its end."""
    start = file.seek(0, os.SEEK_END)
    rest = b""
    while start:
        start, before = max(start - BLOCK, 0), start
        file.seek(start)
        pieces = (file.read(before - start) + rest).split(b"\n")
        # What stands before the first line feed of a block goes on in the block before it.
        first = 0 if start == 0 else 1
        end = start + sum(len(piece) + 1 for piece in pieces[:-1])
        for line in reversed(pieces[first:-1]):
            found = _parsed(line)
            if found is not None:
                yield found["step"], found, end
            end -= len(line) + 1
        rest = pieces[0] + b"\n" if len(pieces) > 1 else pieces[0]


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("step"), int) else None
