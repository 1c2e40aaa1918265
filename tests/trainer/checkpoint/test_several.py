"""Several ranks: any layout loads any other, copies must be equal, and what fails on one rank fails on all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.checkpoint import several
from tests.trainer.parallel.processes import start

FOUR = (0, 1, 2, 3)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("several")
    start(4, several.process, folder)
    return [json.loads(Path(folder / f"found{rank}.json").read_text()) for rank in FOUR]


@pytest.mark.parametrize(
    ("case", "ranks"),
    [
        ("2 to 4", FOUR),
        ("2 to 2x2", FOUR),
        ("2 to 4 by columns", FOUR),
        ("2x2 to 4", FOUR),
        ("2x2 to 2", (0, 1)),
        ("1 to 2", (0, 1)),
        ("two to 1", (0,)),
        ("four to 1", (0,)),
        ("read without a group", (0,)),
        ("model", FOUR),
        ("model alone", (0,)),
    ],
)
def test_any_layout_loads_any_other_to_the_bit(found: list[dict[str, Any]], case: str, ranks: tuple[int, ...]) -> None:
    assert [found[rank][case] for rank in ranks] == [True] * len(ranks)


def test_every_rank_writes_its_file(found: list[dict[str, Any]]) -> None:
    expected = [".metadata", "__0_0.distcp", "__1_0.distcp", "files.json", "meta.json", "tokenizer"]
    assert found[0]["files"] == expected


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (
            "diverged shard",
            "tensor differs between ranks, first weight.embed (rank 1 and rank 3 hold different values)",
        ),
        ("diverged plain", "first fast.norm (ranks 0, 2, 3 and rank 1 hold different values)"),
        ("diverged, of other names", "first weight.shared (ranks 0, 1, 2 and rank 3 hold different values)"),
        ("partial", "weight.sum holds partial sums"),
        ("rank 0 sees no room", "no room for a checkpoint"),
        ("rank 2 cannot write", "a file may not grow so large here"),
    ],
)
def test_all_ranks_refuse_together(found: list[dict[str, Any]], case: str, said: str) -> None:
    for rank in FOUR:
        assert said in found[rank][case]


def test_ranks_may_hold_other_names(found: list[dict[str, Any]]) -> None:
    assert [found[rank]["equal, of other names"] for rank in FOUR] == [""] * 4


def test_the_rank_that_failed_is_named(found: list[dict[str, Any]]) -> None:
    assert [found[rank]["rank 2 cannot write"].startswith("rank 2: ") for rank in FOUR] == [True, True, False, True]


def test_a_failed_save_leaves_nothing_and_the_next_one_works(found: list[dict[str, Any]]) -> None:
    for rank in FOUR:
        assert found[rank]["left"] == ["LATEST", "step-0000000003"]
        assert found[rank]["then"] == ""


def test_all_ranks_fall_back_to_the_same_checkpoint_and_one_says_so(found: list[dict[str, Any]]) -> None:
    assert [found[rank]["fallback"] for rank in FOUR] == ["step-0000000003"] * 4
    assert [found[rank]["opened"] for rank in FOUR] == ["step-0000000002"] * 4
    assert [len(found[rank]["warned"]) for rank in FOUR] == [1, 0, 0, 0]
    assert "step-0000000004 is broken: __3_0.distcp has other bytes" in found[0]["warned"][0]
