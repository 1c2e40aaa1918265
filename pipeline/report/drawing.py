"""The shapes of the page's graphics, as SVG path data; only numbers go in, so nothing in them needs escaping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WIDTH, HEIGHT = 1000, 40
"""View box of one funnel row; it is stretched to the cell, so units are thousandths of the widest place."""

ENDS = ("dropped", "duplicate", "error", "removed")
"""The verdicts other than kept, in the order in which they are drawn."""


def funnel_flow(funnel: Sequence[Mapping[str, Any]], reasons: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each funnel row the band that goes on and, per verdict, the piece that leaves it.

    A row's upper edge is as wide as the records that reached the stage, its lower edge as those that it left: rows
    without a gap between them make one figure.
    """
    widest = max((row["records"] for row in funnel), default=0) or 1
    flow = []
    for row in funnel:
        ended = {
            verdict: sum(r["records"] for r in reasons if r["stage"] == row["stage"] and r["verdict"] == verdict)
            for verdict in ENDS
        }
        left = row["records"] - row["ended"]
        low = WIDTH * left / widest
        pieces, start = [], left
        for verdict, records in ended.items():
            if records:
                edges = (WIDTH * start / widest, WIDTH * (start + records) / widest)
                pieces.append({"verdict": verdict, "records": records, "path": _leaving(*edges, low)})
                start += records
        flow.append({**row, "left": left, "band": f"M0 0H{coordinate(low)}V{HEIGHT}H0Z", "pieces": pieces})
    return flow


def _leaving(start: float, end: float, low: float) -> str:
    """From [start, end] of the upper edge both sides bend to the place where the band goes on."""
    upper, lower = coordinate(HEIGHT * 0.6), coordinate(HEIGHT * 0.4)
    there = f"C{coordinate(end)} {upper} {coordinate(low)} {lower} {coordinate(low)} {HEIGHT}"
    back = f"C{coordinate(low)} {lower} {coordinate(start)} {upper} {coordinate(start)} 0"
    return f"M{coordinate(start)} 0H{coordinate(end)}{there}{back}Z"


def verdict_strip(verdicts: Mapping[str, int]) -> list[dict[str, str]]:
    """All records as one strip, in thousandths of its width, cut by verdict."""
    total, start, pieces = sum(verdicts.values()), 0, []
    for verdict in ("kept", *ENDS):
        records = verdicts[verdict]
        if records:
            x, width = WIDTH * start / total, WIDTH * records / total
            pieces.append({"verdict": verdict, "x": coordinate(x), "width": coordinate(width)})
            start += records
    return pieces


def cluster_sizes(log2_sizes: Sequence[int]) -> list[dict[str, Any]]:
    """The histogram of cluster sizes with its classes spelled out: class k holds sizes over 2^(k-1), up to 2^k.

    >>> [row["sizes"] for row in cluster_sizes([0, 14, 3, 1])]
    ['2', '3–4', '5–8']
    """
    rows = []
    for power, clusters in enumerate(log2_sizes):
        low, high = 2**power // 2 + 1, 2**power
        if power:
            rows.append({"sizes": f"{low:,}–{high:,}" if low < high else f"{high:,}", "clusters": clusters})
    return rows


def coordinate(value: float) -> str:
    """A coordinate with two decimals at most."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
