from __future__ import annotations

import json
from typing import Any

import pytest

from tests.trainer.optimizer import sharded
from tests.trainer.parallel.processes import spawn

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("ranks")
    spawn({2: sharded.two}, folder)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.parametrize("mesh", ["fsdp", "replicated"])
def test_norms_and_parameters_are_those_of_one_process(ranks: list[dict[str, Any]], mesh: str) -> None:
    for rank in ranks:
        assert max(rank[mesh].values()) <= 1e-12, rank[mesh]


def test_a_replicated_parameter_counts_once(ranks: list[dict[str, Any]]) -> None:
    assert max(rank["mixed"] for rank in ranks) <= 1e-12


def test_shards_are_their_own_masters(ranks: list[dict[str, Any]]) -> None:
    assert [rank["narrow"] for rank in ranks] == [{"gradient": "torch.float32", "slots": "fast second slow"}] * 2
