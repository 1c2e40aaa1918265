"""A forecast as a page for people: a table of the steps, ten lines of summary, and what to know about them."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lauter.pipeline.quantity import shown, shown_bytes

SURE_BYTES = 1 << 20
"""A step that read less in the sample is marked: what it costs beyond the sample is a guess."""


def print_forecast(console: Console, data: dict[str, Any]) -> None:
    """Print what `report.forecast` found."""
    console.print(_table(data["steps"]))
    console.print(f"~ the sample read less than {shown_bytes(SURE_BYTES)} in this step", style="dim", highlight=False)
    for name, text in _summary(data):
        console.print(f"  {name:<11}{escape(text)}", highlight=False, soft_wrap=True)
    for note in data["notes"]:
        console.print(f"  [yellow]{'note':<11}[/]{escape(note)}", highlight=False, soft_wrap=True)


def _table(steps: list[dict[str, Any]]) -> Table:
    # A narrow frame: seven columns are to fit into 80.
    table = Table(title="forecast, by step", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for header in ("step", "tasks", "core time", "wall", "read", "written", "memory"):
        table.add_column(header, justify="left" if header == "step" else "right", no_wrap=True)
    for row in steps:
        unsure = row.get("measured_bytes", SURE_BYTES) < SURE_BYTES
        sizes = (row.get(key) for key in ("read_bytes", "write_bytes", "peak_memory_bytes"))
        table.add_row(
            row["step"],
            f"{row['tasks']:,}" if row["tasks"] else "",
            ("~" if unsure else "") + duration(row["core_hours"]),
            duration(row["wall_hours"]),
            *("" if size is None else shown_bytes(size) for size in sizes),
        )
    return table


def _summary(data: dict[str, Any]) -> list[tuple[str, str]]:
    size = {name: shown_bytes(count) for name, count in data["bytes"].items()}
    memory, cost, rates, serial = data["peak_memory"], data["cost"], data["rates"], data["longest_serial"]
    machine, files = rates["machine"], sum(source["files"] for source in data["sources"])
    where = f"{data['cores']:,} cores on Ray" if data["executor"] == "ray" else "one core, in one process"
    lines = [
        ("tokens", f"{shown(data['tokens'])} in {shown(data['documents'])} documents come out"),
        ("input", f"{size['input']} in {files:,} files, {shown(data['records'])} records"),
        ("core time", duration(data["core_hours"])),
        ("wall time", f"{duration(data['wall_hours'])} with {where}, {data['tasks']:,} tasks"),
    ]
    if data["executor"] == "ray":
        lines.append(
            ("one core", f"{duration(serial['wall_hours'])} of it, in {serial['step']}: more cores do not help")
        )
    lines += [
        (
            "disk",
            f"{size['disk_peak']}: corpus {size['output']}, of it token shards {size['tokens']}; "
            f"what only the build needs {size['intermediate']}",
        ),
        (
            "memory",
            f"{shown_bytes(memory['worker_bytes'])} for the largest worker ({memory['step']}), "
            f"{shown_bytes(memory['driver_bytes'])} for the process that plans",
        ),
        (
            "money",
            f"{cost['eur']:,.2f} EUR: {cost['rented_core_hours']:,.2f} core-hours are rented, busy or not, at "
            f"{cost['eur_per_core_hour']:g} EUR; disks and traffic come on top",
        ),
        ("measured", f"{rates['date'][:10]} on {machine['cores']} x {machine['processor']}, on {rates['manifest']}"),
        ("rates", rates["file"]),
    ]
    return lines


def duration(hours: float) -> str:
    """Hours, or seconds where they are few.

    >>> [duration(hours) for hours in (0.0001, 0.02, 5, 300, 51_234)]
    ['0.36 s', '72.0 s', '5.0 h', '300 h', '51,234 h']
    """
    if hours < 0.1:
        seconds = hours * 3600
        return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds:.2g} s"
    return f"{hours:.1f} h" if hours < 100 else f"{hours:,.0f} h"
