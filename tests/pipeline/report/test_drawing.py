from __future__ import annotations

import itertools
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lauter.pipeline.report.drawing import ENDS, HEIGHT, WIDTH, cluster_sizes, funnel_flow, verdict_strip
from lauter.pipeline.report.funnel import funnel_rows

STAGE = st.fixed_dictionaries({verdict: st.integers(0, 1000) for verdict in ENDS})


@given(stages=st.lists(STAGE, max_size=6), kept=st.integers(0, 1000))
def test_each_row_ends_as_wide_as_the_next_one_begins(stages: list[dict[str, int]], kept: int) -> None:
    reasons: list[dict[str, Any]] = [
        {"stage": f"s{place}", "reason": verdict, "verdict": verdict, "records": records}
        for place, stage in enumerate(stages)
        for verdict, records in stage.items()
        if records
    ]
    total = kept + sum(item["records"] for item in reasons)
    funnel = funnel_rows({"records": total, "reasons": reasons}, [f"s{place}" for place in range(len(stages))])
    width = float(WIDTH) if total else 0.0
    for row, stage in zip(funnel_flow(funnel, reasons), stages, strict=True):
        found = re.fullmatch(rf"M0 0H([\d.]+)V{HEIGHT}H0Z", row["band"])
        assert found
        low = float(found[1])
        edge = low
        for piece in row["pieces"]:
            start, end = map(float, re.findall(r"^M([\d.]+) 0H([\d.]+)", piece["path"])[0])
            assert abs(start - edge) <= 0.011
            assert abs((end - start) - WIDTH * piece["records"] / total) <= 0.011
            assert f" {found[1]} {HEIGHT}C" in piece["path"], "it ends where the band goes on"
            edge = end
        assert {piece["verdict"]: piece["records"] for piece in row["pieces"]} == {k: v for k, v in stage.items() if v}
        assert abs(edge - width) <= 0.05
        width = low
    assert abs(width - (WIDTH * kept / total if total else 0)) <= 0.011


@given(st.fixed_dictionaries({name: st.integers(0, 10**6) for name in ("kept", *ENDS)}))
def test_the_strip_is_filled(verdicts: dict[str, int]) -> None:
    pieces = verdict_strip(verdicts)
    assert [piece["verdict"] for piece in pieces] == [name for name in ("kept", *ENDS) if verdicts[name]]
    edge = 0.0
    for piece in pieces:
        assert abs(float(piece["x"]) - edge) <= 0.03
        edge = float(piece["x"]) + float(piece["width"])
    assert not pieces or abs(edge - WIDTH) <= 0.03


def test_classes_of_cluster_sizes_follow_each_other() -> None:
    rows = cluster_sizes([0, *range(1, 12)])
    assert [row["clusters"] for row in rows] == list(range(1, 12))
    assert rows[-1]["sizes"] == "1,025–2,048"
    ends = [[int(n.replace(",", "")) for n in row["sizes"].split("–")] for row in rows]
    assert all(before[-1] + 1 == after[0] for before, after in itertools.pairwise(ends))
    assert cluster_sizes([]) == []
