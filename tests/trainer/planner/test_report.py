from __future__ import annotations

import re
from io import StringIO

from rich.console import Console

from lauter.trainer.config.load import load
from lauter.trainer.planner.plan import Wanted, plan
from lauter.trainer.planner.report import SHOWN, named, print_plan
from tests.trainer.planner.test_plan import FOLDER


def page(wanted: Wanted, config: str = "70b.yaml") -> str:
    found = StringIO()
    print_plan(Console(file=found, width=400), plan(load(str(FOLDER / config), needs_data=False), wanted))
    return found.getvalue()


def test_a_page_names_parts_axes_and_savings() -> None:
    text = page(Wanted("gh200", 4096, "tp=4,pp=8,vpp=5", tokens_per_second=723))
    for said in (
        "pipeline 8 (interleaved, 5 stages a rank) x shard 128 x tensor 4, recompute full, micro 1",
        "activations",
        "tensor: ",
        "waited for",
        "beside the products",
        "(as measured)",
        "58.6 days",
        "blocking every",
    ):
        assert said in text
    assert text.count(" none ") + text.count(" selective ") + text.count(" full ") >= SHOWN


def test_a_page_of_a_layout_that_cannot_be_run() -> None:
    text = page(Wanted("h100", 8, "tp=3"))
    assert "8 ranks are not the product" in text
    assert "layouts that fit: none of" in text
    # The speed is not of the layout in the line above it, and says so.
    text = page(Wanted("h100", 4096, "tp=3"))
    assert "(of the first layout below, as this one can't be run)" in text


def test_a_page_where_nothing_fits_says_how_many_ranks_do() -> None:
    text = page(Wanted("h100", 1, "tp=1"), "8b.yaml")
    assert "layouts that fit: none of 1 tried; the smallest of them" in text
    (ranks,) = re.findall(r"1 rank\(s\) do not hold this run; [\d,]+ do: --ranks (\d+)", text)
    assert "layouts that fit: none of" in page(Wanted("h100", int(ranks) // 2), "8b.yaml")
    held = page(Wanted("h100", int(ranks)), "8b.yaml")
    assert "layouts that fit: none of" not in held
    assert "do not hold this run" not in held


def test_less_than_a_token_a_second_is_no_0() -> None:
    text = page(Wanted("h100", 1, "tp=1", tokens_per_second=0.0106), "8b.yaml")
    assert "0.0106 tokens/s, 0.0106 a rank" in text


def test_axes_of_one_rank_are_left_out() -> None:
    layout = {"pipeline": 1, "replicate": 2, "shard": 8, "context": 1, "tensor": 1, "schedule": "1f1b"}
    assert named({**layout, "stages_per_rank": 1}) == "replicate 2 x shard 8"
    assert named({**layout, "replicate": 1, "shard": 1, "stages_per_rank": 1}) == "one rank"
