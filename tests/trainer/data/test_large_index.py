"""The reader's index: 10^12 tokens take no more than their row groups, whatever their documents are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.data.large_index import SHARD_TOKENS, write_large

BYTES_A_ROW_GROUP = 1000
"""Its tokens, its place in the orders of epochs, its digest in the index, as text and as what that is parsed to."""


def opened(folder: Path, shards: int) -> dict[str, Any]:
    folder.mkdir()
    tokens = write_large(folder, shards)
    command = [sys.executable, "-m", "tests.trainer.data.large_index", str(folder)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    assert found["tokens"] == tokens
    return found


@pytest.mark.parametrize(
    "tokens",
    [pytest.param(10**10, marks=pytest.mark.slow), pytest.param(10**12, marks=pytest.mark.soak)],
    ids=["1e10", "1e12"],
)
def test_memory_grows_with_row_groups_alone(tmp_path: Path, tokens: int) -> None:
    shards = -(-tokens // SHARD_TOKENS)
    small, large = opened(tmp_path / "small", 1), opened(tmp_path / "large", shards)
    print(small, large)
    grown = large["peak_bytes"] - small["peak_bytes"]
    # What Arrow's allocator keeps differs from run to run by some MB.
    assert grown < BYTES_A_ROW_GROUP * 16 * shards + (64 << 20)
    assert large["documents"] > tokens // 1024
