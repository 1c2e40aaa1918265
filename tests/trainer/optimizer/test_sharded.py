from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# Two processes that import torch and its parallel parts.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("sharded.py")


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    meeting_point = tmp_path_factory.mktemp("ranks") / "meeting"
    processes = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(rank), str(meeting_point)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=120) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], outputs
    return [json.loads(out) for out, _ in outputs]


@pytest.mark.parametrize("mesh", ["fsdp", "replicated"])
def test_norms_and_parameters_are_those_of_one_process(ranks: list[dict[str, Any]], mesh: str) -> None:
    for rank in ranks:
        assert max(rank[mesh].values()) <= 1e-12, rank[mesh]


def test_a_replicated_parameter_counts_once(ranks: list[dict[str, Any]]) -> None:
    assert max(rank["mixed"] for rank in ranks) <= 1e-12


def test_shards_are_their_own_masters(ranks: list[dict[str, Any]]) -> None:
    assert [rank["narrow"] for rank in ranks] == [{"gradient": "torch.float32", "slots": "fast second slow"}] * 2
