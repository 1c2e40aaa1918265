"""The index of preference data: pairs with other bytes than it says are not learnt from."""

from __future__ import annotations

from pathlib import Path

import pytest

from lauter.pipeline.storage import Storage
from lauter.trainer.data.errors import DataError, UnfitError
from lauter.trainer.preference.folder import block_path, write_block
from lauter.trainer.preference.index import finish_making, read_index


def test_pairs_are_compared_with_their_digests(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    with pytest.raises(UnfitError, match="holds no finished preference data"):
        read_index(storage)
    for kind in ("completions", "rewards", "pairs"):
        write_block(storage, kind, 0, [])
    finish_making(storage, {"format": 1}, 1, {"pairs": 0})
    assert read_index(storage)["counts"] == {"pairs": 0}
    file = tmp_path / block_path("pairs", 0)
    whole = file.read_bytes()
    file.write_bytes(whole[:9] + bytes([whole[9] ^ 1]) + whole[10:])
    with pytest.raises(DataError, match=r"pairs/00000.parquet: has other bytes than preferences.json says"):
        read_index(storage)
    file.unlink()
    with pytest.raises(DataError, match=r"pairs/00000.parquet: is missing"):
        read_index(storage)
