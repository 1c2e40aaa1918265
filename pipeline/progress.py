"""Live progress of a build: steps with counts and ETA, and for each stage records per second and keep rate."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from lauter.pipeline.graph.node import Node
from lauter.pipeline.run import Observer
from lauter.pipeline.storage import Storage, StorageError
from lauter.pipeline.task import Result, Task


@dataclass
class Totals:
    """Sums over the documents tasks."""

    records: int = 0
    documents: int = 0
    payload_bytes: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, info: dict[str, Any]) -> None:
        """Add one task's counts."""
        self.records += info["records"]
        self.documents += info["documents"]
        self.payload_bytes += info["payload_bytes"]
        for name, stage in info["stages"].items():
            self.rows[name] += stage["rows"]
            self.dropped[name] += stage["dropped"]
            self.seconds[name] += stage["seconds"]

    def to_json(self) -> dict[str, Any]:
        """The inverse of `add`."""
        return {
            "records": self.records,
            "documents": self.documents,
            "payload_bytes": self.payload_bytes,
            "stages": {
                name: {"rows": rows, "dropped": self.dropped[name], "seconds": self.seconds[name]}
                for name, rows in self.rows.items()
            },
        }


class BuildProgress(Observer):
    """Draws the progress of a run while used as a context."""

    def __init__(self, console: Console, storage: Storage, input_bytes: dict[str, int]) -> None:
        self._console, self._storage = console, storage
        self._input_bytes = input_bytes
        self._started = time.monotonic()
        self._done_bytes = 0
        self._totals = Totals()
        self._running: dict[str, Task] = {}
        self._steps: dict[str, Any] = {}
        self._bars = Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._live = Live(get_renderable=self._draw, console=console, refresh_per_second=2, transient=True)

    def __enter__(self) -> BuildProgress:
        """Start drawing where there is a terminal."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop drawing."""
        if self._console.is_terminal:
            self._live.stop()

    def planned(self, nodes: Sequence[Node]) -> None:
        """Add a bar for each new step; a known one gets longer."""
        for name, count in Counter(node.name.split("/", 1)[0] for node in nodes).items():
            if name in self._steps:
                before = next(bar.total or 0 for bar in self._bars.tasks if bar.id == self._steps[name])
                self._bars.update(self._steps[name], total=before + count)
            else:
                self._steps[name] = self._bars.add_task(name, total=count)

    def started(self, task: Task) -> None:
        """Note what is running, for its heartbeat."""
        if task.step == "documents":
            self._running[task.name] = task
        if not self._console.is_terminal and task.step == "documents":
            size = self._input_bytes.get(task.name, 0) / 1e6
            self._console.print(f"{task.name} ({size:.1f} MB)", highlight=False, soft_wrap=True)

    def ended(self, name: str, result: Result | None, *, cached: bool) -> None:
        """Advance the step's bar and the sums."""
        self._bars.advance(self._steps[name.split("/", 1)[0]])
        self._running.pop(name, None)
        if name.startswith("documents/") and result is not None:
            if cached:
                self._input_bytes.pop(name, None)
            else:
                self._done_bytes += self._input_bytes.get(name, 0)
                self._totals.add(dict(result.info))

    def _draw(self) -> RenderableType:
        totals = Totals()
        totals.add(self._totals.to_json())
        position = 0
        for name in list(self._running):
            beat = self._beat(name)
            if beat is not None:
                totals.add(beat)
                position += min(beat["position"], self._input_bytes.get(name, 0))
        elapsed = time.monotonic() - self._started
        rate = totals.payload_bytes / 1e6 / max(elapsed, 1e-9)
        line = f"{totals.records:,} records, {totals.documents:,} documents, {rate:.1f} MB/s, {self._eta(position)}"
        return Group(self._bars, line, stage_table(totals))

    def _beat(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._storage.read_json(f"state/progress/{name}.json")
        except StorageError:
            return None
        return found

    def _eta(self, position: int) -> str:
        """How long the documents step has to go, from the share of the input bytes that is behind us."""
        total, behind = sum(self._input_bytes.values()), self._done_bytes + position
        if not behind or behind >= total:
            return "time left unknown"
        return f"about {(time.monotonic() - self._started) * (total - behind) / behind:,.0f} s left to read"


def stage_table(totals: Totals) -> Table:
    """Records, records per second of the stage's own time, and keep rate of each stage."""
    table = Table()
    for header in ("stage", "records", "records/s", "kept"):
        table.add_column(header, justify="left" if header == "stage" else "right")
    for name, rows in totals.rows.items():
        seconds = totals.seconds[name]
        speed = f"{rows / seconds:,.0f}" if seconds else "-"
        table.add_row(name, f"{rows:,}", speed, f"{1 - totals.dropped[name] / rows:.1%}" if rows else "-")
    return table
