"""The shapes of a whole and its parts (`contract.ReportWhole`): a strip by kind, areas by group, bars by size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lauter.pipeline.report.drawing import coordinate

TONES = ("kept", "dropped", "duplicate", "error", "removed")
"""The page's colours, in the order in which kinds have them."""

WIDTH, HEIGHT = 1000.0, 400.0
"""The areas are laid out in a box of these sides: about the ratio that they have on a wide page."""

TITLE = 17.0
"""Height of a group's name above its areas."""

SMALL_PART, SMALL_GROUP = 0.0012, 0.006
"""Shares of the whole below which parts and groups are drawn together: 480 and 2,400 of the box's 400,000 square units,
the latter just wide enough for a word."""

TAIL = 200.0
"""Height of the bars' box."""


class Box(NamedTuple):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float


def drawn(whole: Mapping[str, Any]) -> dict[str, Any]:
    """What the page needs to draw a whole (plain data, parts largest first): `strip`, `areas`, `bars`, `total`."""
    parts = [part for part in whole["parts"] if part["value"] > 0]
    tones = {kind: tone for (kind, _), tone in zip(whole["kinds"], TONES, strict=False)}
    total = sum(part["value"] for part in parts)
    return {
        "title": whole["title"],
        "unit": whole["unit"],
        "total": total,
        "strip": _strip(parts, whole["kinds"], tones, total),
        "areas": _areas(parts, tones, total),
        "bars": _bars(parts, tones),
    }


def _strip(
    parts: Sequence[Mapping[str, Any]], kinds: Sequence[Sequence[str]], tones: Mapping[str, str], total: int
) -> list[dict[str, Any]]:
    pieces, start = [], 0
    for kind, words in kinds:
        values = [part["value"] for part in parts if part["kind"] == kind]
        if values:
            x, width = WIDTH * start / total, WIDTH * sum(values) / total
            start += sum(values)
            pieces.append(
                {
                    "tone": tones[kind],
                    "words": words,
                    "value": sum(values),
                    "parts": len(values),
                    "x": coordinate(x),
                    "width": coordinate(width),
                }
            )
    return pieces


def _areas(parts: Sequence[Mapping[str, Any]], tones: Mapping[str, str], total: int) -> list[dict[str, Any]]:
    """Groups as nested areas, in per cent of the box that they lie in; what is too small to see is drawn together."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for part in parts:
        groups.setdefault(part["group"], []).append(part)
    values = {name: sum(part["value"] for part in members) for name, members in groups.items()}
    large = sorted((n for n in groups if values[n] >= SMALL_GROUP * total), key=lambda n: (-values[n], n))
    rest = [name for name in groups if values[name] < SMALL_GROUP * total]
    items = [(name, values[name], _shown(groups[name], total)) for name in large]
    if rest:
        value = sum(values[name] for name in rest)
        count = sum(len(groups[name]) for name in rest)
        # At least as large as the least group, or nobody could see that it is there.
        items.append((f"{len(rest)} more", max(value, round(SMALL_GROUP * total)), [(f"{count} more", "", value)]))
    boxes = squarified([value for _, value, _ in items], Box(0, 0, WIDTH, HEIGHT))
    return [
        _group(name, value, members, box, tones, total)
        for (name, value, members), box in zip(items, boxes, strict=True)
    ]


def _shown(members: Sequence[Mapping[str, Any]], total: int) -> list[tuple[str, str, int]]:
    """Name, kind and value of the members of a group that are drawn; the last may stand for all that are smaller."""
    shown = [(part["name"], part["kind"], part["value"]) for part in members if part["value"] >= SMALL_PART * total]
    rest = [part["value"] for part in members if part["value"] < SMALL_PART * total]
    return [*shown, (f"{len(rest)} more", "", sum(rest))] if rest else shown


def _group(
    name: str, value: int, members: Sequence[tuple[str, str, int]], box: Box, tones: Mapping[str, str], total: int
) -> dict[str, Any]:
    is_titled = box.width >= 60 and box.height >= 2 * TITLE
    inside = Box(0, TITLE if is_titled else 0, box.width, box.height - (TITLE if is_titled else 0))
    cells = []
    for (part, kind, size), cell in zip(members, squarified([m[2] for m in members], inside), strict=True):
        cells.append(
            {
                "name": part,
                "tone": tones.get(kind, ""),
                "value": size,
                "style": _placed(cell, box.width, box.height),
                "is_named": cell.width >= 24 and cell.height >= 15,
            }
        )
    return {
        "name": name,
        "value": value,
        "is_titled": is_titled,
        "style": _placed(box, WIDTH, HEIGHT),
        "cells": cells,
    }


def _placed(box: Box, width: float, height: float) -> str:
    """Where a box lies in one of the given sides, as a style."""
    parts = (("left", box.x / width), ("top", box.y / height), ("width", box.width / width))
    return "".join(f"{name}:{coordinate(100 * share)}%;" for name, share in parts) + (
        f"height:{coordinate(100 * box.height / height)}%"
    )


def squarified(values: Sequence[int], box: Box) -> list[Box]:
    """Boxes that fill `box`, in the order of the values and with areas as the values, each as square as can be.

    The squarified treemap of M. Bruls, K. Huizing and J. van Wijk 2000 (Proc. Joint Eurographics and IEEE TCVG
    Symposium on Visualization, 33-42). Values are positive, largest first.
    """
    total = sum(values)
    if not total:
        return [Box(box.x, box.y, 0, 0) for _ in values]
    areas = [value * box.width * box.height / total for value in values]
    found: list[Box] = []
    start = 0
    while start < len(areas):
        short = min(box.width, box.height)
        end = start + 1
        while end < len(areas) and _worst(areas[start : end + 1], short) <= _worst(areas[start:end], short):
            end += 1
        row = areas[start:end]
        placed, box = _row(row, box, is_last=end == len(areas))
        found += placed
        start = end
    return found


def _worst(row: Sequence[float], side: float) -> float:
    """The worst ratio of sides in a row of areas along a side."""
    whole = sum(row)
    if not side or not whole:
        return math.inf
    return max(max(side * side * area / (whole * whole), whole * whole / (side * side * area)) for area in row if area)


def _row(row: Sequence[float], box: Box, *, is_last: bool) -> tuple[list[Box], Box]:
    """A row along the shorter side, and what is left of the box."""
    is_column = box.width >= box.height
    along = box.height if is_column else box.width
    across = (box.width if is_column else box.height) if is_last else (sum(row) / along if along else 0)
    placed, at = [], 0.0
    for area in row:
        size = along * area / sum(row)
        if is_column:
            placed.append(Box(box.x, box.y + at, across, size))
        else:
            placed.append(Box(box.x + at, box.y, size, across))
        at += size
    if is_column:
        return placed, Box(box.x + across, box.y, max(box.width - across, 0), box.height)
    return placed, Box(box.x, box.y + across, box.width, max(box.height - across, 0))


def _bars(parts: Sequence[Mapping[str, Any]], tones: Mapping[str, str]) -> dict[str, Any]:
    """Every part as a bar, largest first, on a scale of powers of ten; one path for each colour."""
    if not parts:
        return {"paths": [], "lines": [], "count": 0}
    powers = max(math.ceil(math.log10(parts[0]["value"])), 1)
    step, floor = WIDTH / len(parts), coordinate(TAIL)
    paths: dict[str, list[str]] = {}
    for place, part in enumerate(parts):
        # A part of one would have no height.
        tall = max(TAIL * math.log10(part["value"]) / powers, 2.0)
        tone = tones.get(part["kind"], "")
        left, right = coordinate(place * step), coordinate((place + 0.86) * step)
        paths.setdefault(tone, []).append(f"M{left} {floor}V{coordinate(TAIL - tall)}H{right}V{floor}Z")
    lines = [{"value": 10**power, "share": coordinate(100 * power / powers)} for power in range(powers + 1)]
    return {
        "paths": [{"tone": tone, "path": "".join(pieces)} for tone, pieces in paths.items()],
        "lines": lines,
        "count": len(parts),
    }
