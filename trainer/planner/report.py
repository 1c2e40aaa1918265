"""A plan as a page for people."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lauter.pipeline.quantity import shown, shown_bytes

SHOWN = 8
"""Layouts in the table; JSON has all."""

_AXES = ("pipeline", "replicate", "shard", "context", "tensor")


def print_plan(console: Console, data: dict[str, Any]) -> None:
    """Print what `plan.plan` found."""
    for name, text in _summary(data):
        console.print(f"  {name:<12}{escape(text)}", highlight=False, soft_wrap=True)
    console.print(_layouts(data))
    for text in _way_out(data):
        console.print(f"  [yellow]{'mend':<12}[/]{escape(text)}", highlight=False, soft_wrap=True)
    for note in data["notes"]:
        console.print(f"  [yellow]{'note':<12}[/]{escape(note)}", highlight=False, soft_wrap=True)


def named(layout: dict[str, Any]) -> str:
    """A layout's axes in words; axes of size 1 are left out.

    >>> named({"pipeline": 8, "replicate": 1, "shard": None, "context": 1, "tensor": 4, "schedule": "interleaved",
    ...        "stages_per_rank": 5, "recompute": "none", "micro": 1})
    'pipeline 8 (interleaved, 5 stages a rank) x tensor 4'
    """
    words = []
    for axis in _AXES:
        size = layout[axis]
        if size in (None, 1):
            continue
        order = layout["schedule"]
        if layout["stages_per_rank"] > 1:
            order += f", {layout['stages_per_rank']} stages a rank"
        words.append(f"{axis} {size}" + (f" ({order})" if axis == "pipeline" else ""))
    return " x ".join(words) or "one rank"


def _summary(data: dict[str, Any]) -> list[tuple[str, str]]:
    hardware, layout = data["hardware"], data["layout"]
    lines = [
        (
            "model",
            f"{data['parameters']:,} parameters, {data['non_embedding_parameters']:,} without embeddings; "
            f"{data['flop_per_token']:.3g} FLOP a token at {data['sequence_length']:,} tokens",
        ),
        (
            "run",
            f"{shown(data['total_tokens'])} tokens, {data['steps']:,} steps of {shown(data['step_tokens'])}; "
            f"{data['total_flop']:.3g} FLOP ({data['total_flop_full_attention']:.3g} if attention is counted whole)",
        ),
        (
            "hardware",
            f"{data['ranks']:,} x {hardware['name']}: {_gib(hardware['memory_bytes'])}, "
            f"{hardware['peak_flops'] / 1e12:.3g} TFLOP/s",
        ),
        ("layout", f"{named(layout)}, recompute {layout['recompute']}, micro {layout['micro']}"),
        ("", layout["why"]),
    ]
    if data["memory"] is not None:
        memory = data["memory"]
        parts = ", ".join(f"{part} {_gib(size)}" for part, size in memory["parts"].items() if size)
        host = "" if memory["snapshot_on_device"] else " in the host's memory"
        lines.append(
            (
                "memory",
                f"{parts} at its fullest ({memory['moment']}); runtime {_gib(memory['runtime_bytes'])}, copies for "
                f"saving {_gib(memory['snapshot_bytes'])}{host}",
            )
        )
        lines += [
            (
                "messages" if number == 0 else "",
                f"{axis}: {shown_bytes(one['bytes_per_step'])} a step and rank, {one['seconds_per_step']:.2g} s"
                + (", waited for" if one["waits"] else ", beside the products"),
            )
            for number, (axis, one) in enumerate(data["communication"].items())
        ]
    if data["days"] is not None:
        basis = {"derived": "derived", "mfu": "as stated", "measured": "as measured"}[data["basis"]]
        if data["memory"] is None and data["basis"] == "derived":
            basis = "of the first layout below, as this one can't be run"
        lines += [
            (
                "speed",
                f"{_rate(data['tokens_per_second'])} tokens/s, {_rate(data['tokens_per_second_per_rank'])} a rank, MFU "
                f"{data['mfu']:.1%} ({basis})",
            ),
            (
                "time",
                f"{data['days']:,.1f} days, {data['gpu_hours']:,.0f} device hours, {data['energy_kwh']:,.0f} kWh "
                "of the devices alone",
            ),
        ]
    lines.append(("checkpoint", _saving(data)))
    return lines


def _saving(data: dict[str, Any]) -> str:
    saving = data["checkpoint"]
    words = []
    for kind in ("blocking", "asynchronous"):
        one = saving[kind]
        steps = "" if one["every_steps"] is None else f" ({one['every_steps']:,} steps)"
        words.append(f"{kind} every {_duration(one['every_s'])}{steps}, {one['lost']:.1%} lost")
    return (
        f"{shown_bytes(data['checkpoint_bytes'])}; a failure every {saving['job_mtbf_hours']:,.1f} h on "
        f"{saving['nodes']:,} node(s): save {'; '.join(words)}"
    )


def _layouts(data: dict[str, Any]) -> Table:
    fitting = [one for one in data["layouts"] if one["fits"]]
    listed = fitting[:SHOWN] or data["layouts"][:SHOWN]
    tried = len(data["layouts"])
    title = f"layouts that fit: {len(fitting)} of {tried} tried, the fastest first"
    if not fitting:
        title = f"layouts that fit: none of {tried} tried" + ("; the smallest of them" if tried else "")
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for header in ("layout", "recompute", "micro", "memory", "bubble", "tokens/s", "MFU"):
        table.add_column(header, justify="left" if header in ("layout", "recompute") else "right")
    for one in listed:
        table.add_row(
            named(one),
            one["recompute"],
            str(one["micro"]),
            _gib(one["memory_bytes"]),
            f"{one['bubble_fraction']:.1%}",
            _rate(one["tokens_per_second"]),
            f"{one['mfu']:.1%}",
        )
    return table


def _way_out(data: dict[str, Any]) -> list[str]:
    """What to do where nothing fits."""
    if any(one["fits"] for one in data["layouts"]):
        return []
    if data["least_ranks"] is not None:
        least = data["least_ranks"]
        return [f"{data['ranks']:,} rank(s) do not hold this run; {least:,} do: --ranks {least}"]
    return ["take other hardware, a smaller batch.micro, a shorter data.sequence_length or a smaller model"]


def _rate(value: float) -> str:
    """Tokens a second, also where there is less than one.

    >>> _rate(0.0106), _rate(7332.4)
    ('0.0106', '7,332')
    """
    return f"{value:.3g}" if value < 10 else f"{value:,.0f}"


def _gib(size: int) -> str:
    """Gibibytes.

    >>> _gib(3 << 29)
    '1.5 GiB'
    """
    return f"{size / (1 << 30):,.3g} GiB" if size < 1 << 40 else f"{size / (1 << 30):,.0f} GiB"


def _duration(seconds: float) -> str:
    """Seconds, minutes or hours.

    >>> _duration(42), _duration(1274), _duration(18_000)
    ('42 s', '21 min', '5.0 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
