"""A whole and its parts as drawn: areas as large as they say, none over another, and nothing left out."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline.contract import ReportPart, ReportSection, ReportWhole
from lauter.pipeline.report.sections import PARTS, plain
from lauter.pipeline.report.whole import HEIGHT, TAIL, WIDTH, Box, drawn, squarified

KINDS = (("much", "much of it"), ("little", "little of it"))
VALUES = st.lists(st.integers(1, 10**9), min_size=1, max_size=30).map(lambda values: sorted(values, reverse=True))
PART = st.builds(
    ReportPart,
    st.text("abc", min_size=1, max_size=3),
    st.sampled_from(["g1", "g2", "g3"]),
    st.sampled_from(["much", "little", "of no kind"]),
    st.integers(0, 10**12),
)


def plain_whole(parts: list[ReportPart]) -> dict[str, Any]:
    whole: dict[str, Any] = plain(ReportSection("S", whole=ReportWhole("W", "tokens", KINDS, tuple(parts))))["whole"]
    return whole


@given(VALUES)
@settings(max_examples=60)
def test_areas_are_as_their_values_inside_and_beside_each_other(values: list[int]) -> None:
    boxes = squarified(values, Box(10, 20, WIDTH, HEIGHT))
    whole = WIDTH * HEIGHT
    for value, box in zip(values, boxes, strict=True):
        assert box.width * box.height == pytest.approx(whole * value / sum(values), rel=1e-6, abs=1e-6)
        assert box.x >= 10 - 1e-6 and box.x + box.width <= 10 + WIDTH + 1e-6
        assert box.y >= 20 - 1e-6 and box.y + box.height <= 20 + HEIGHT + 1e-6
    for one, other in combinations(boxes, 2):
        wide = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
        tall = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
        assert min(wide, tall) <= 1e-6


def test_the_example_of_the_paper_is_laid_out_as_there() -> None:
    # Bruls, Huizing and van Wijk 2000, figure 4: areas 6, 6, 4, 3, 2, 2, 1 in a rectangle of 6 x 4.
    boxes = squarified([6, 6, 4, 3, 2, 2, 1], Box(0, 0, 6, 4))
    assert [(box.width, box.height) for box in boxes[:2]] == [(3, 2), (3, 2)]
    assert [box.width for box in boxes[2:4]] == pytest.approx([12 / 7, 9 / 7])
    assert boxes[2].height == boxes[3].height == pytest.approx(7 / 3)


def test_nothing_to_lay_out() -> None:
    assert squarified([], Box(0, 0, 1, 1)) == []
    assert squarified([0, 0], Box(0, 0, 1, 1)) == [Box(0, 0, 0, 0)] * 2


@given(st.lists(PART, max_size=40))
@settings(max_examples=60)
def test_every_part_is_drawn_once_in_each_way(parts: list[ReportPart]) -> None:
    found = drawn(plain_whole(parts))
    seen = [part for part in parts if part.value]
    assert found["total"] == sum(part.value for part in seen)
    assert sum(piece["value"] for piece in found["strip"]) == sum(
        part.value for part in seen if part.kind in dict(KINDS)
    )
    assert found["bars"]["count"] == len(seen)
    assert sum(piece["path"].count("Z") for piece in found["bars"]["paths"]) == len(seen)
    for piece in found["bars"]["paths"]:
        assert all(-0.01 <= float(y) <= TAIL for y in re.findall(r"V([\d.]+)", piece["path"]))
    cells = [cell for group in found["areas"] for cell in group["cells"]]
    assert sum(cell["value"] for cell in cells) == found["total"]
    more = [int(cell["name"].split()[0]) for cell in cells if re.fullmatch(r"\d+ more", cell["name"])]
    assert len(cells) - len(more) + sum(more) == len(seen)


def test_small_parts_and_groups_are_drawn_together() -> None:
    parts = [ReportPart("a", "large", "much", 10**6), *(ReportPart(f"b{n}", "large", "much", 1) for n in range(7))]
    parts += [ReportPart(f"c{n}", f"small {n}", "little", 2) for n in range(3)]
    large, rest = drawn(plain_whole(parts))["areas"]
    assert [cell["name"] for cell in large["cells"]] == ["a", "7 more"]
    assert rest["name"] == "3 more" and [cell["value"] for cell in rest["cells"]] == [6]


def test_a_long_list_is_cut_to_its_largest() -> None:
    whole = plain_whole([ReportPart(f"p{n:05}", "g", "much", n) for n in range(PARTS + 3)])
    assert whole["cut"] == 3
    assert len(whole["parts"]) == PARTS
    assert whole["parts"][0]["value"] == PARTS + 2
