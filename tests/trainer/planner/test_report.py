from __future__ import annotations

from io import StringIO

from rich.console import Console

from lauter.trainer.config.load import load
from lauter.trainer.planner.plan import Wanted, plan
from lauter.trainer.planner.report import SHOWN, named, print_plan
from tests.trainer.planner.test_plan import FOLDER


def page(wanted: Wanted) -> str:
    found = StringIO()
    print_plan(Console(file=found, width=400), plan(load(str(FOLDER / "70b.yaml"), needs_data=False), wanted))
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
    assert "layouts that fit: 0 of" in text


def test_axes_of_one_rank_are_left_out() -> None:
    layout = {"pipeline": 1, "replicate": 2, "shard": 8, "context": 1, "tensor": 1, "schedule": "1f1b"}
    assert named({**layout, "stages_per_rank": 1}) == "replicate 2 x shard 8"
    assert named({**layout, "replicate": 1, "shard": 1, "stages_per_rank": 1}) == "one rank"
