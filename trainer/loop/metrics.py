"""Files of one JSON object a line and a step, in which no step stands twice."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class StepLog:
    """A file of lines that have a `step`, in order; appended to, and cut where a run goes back."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def cut(self, step: int) -> None:
        """Drop all lines after this step, and a last line that was not finished."""
        if not self._path.exists():
            return
        kept = [line for line in self._path.read_bytes().split(b"\n") if (found := _step_of(line)) and found <= step]
        aside = self._path.with_suffix(".new")
        with aside.open("wb") as file:
            file.write(b"".join(line + b"\n" for line in kept))
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._path)

    def add(self, line: Mapping[str, Any]) -> None:
        """Append one line; a number that is not finite becomes null, as JSON has none."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(finite(line), ensure_ascii=False, allow_nan=False) + "\n")

    def last(self) -> dict[str, Any] | None:
        """The last line, if there is one."""
        if not self._path.exists():
            return None
        lines = [line for line in self._path.read_bytes().split(b"\n") if _step_of(line)]
        return json.loads(lines[-1]) if lines else None


def finite(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """The value with null in place of every number that is not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return value


def _step_of(line: bytes) -> int | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found.get("step") if isinstance(found, dict) else None
