"""Counts a corpus made by hand by the tasks that a build would run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lauter.pipeline.finished_parts import FinishedParts
from lauter.pipeline.report.graph import Counted, counted, counting
from lauter.pipeline.storage import Storage


def count(folder: Path, corpus: Mapping[str, Any]) -> Counted:
    """The numbers of a run folder that corpus.json describes."""
    parts = FinishedParts(Storage(str(folder)), corpus)
    parts.run(counting(parts, parts.results))
    return counted(parts, parts.results)
