"""Opening corpora that have something wrong with them, and what is then said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lauter.pipeline.storage import Storage
from lauter.trainer.data.corpus import DataError, open_corpora
from lauter.trainer.data.verify import Verify
from tests.trainer.data.corpora import (
    publish,
    section,
)

SHARD = "tokens/main/00001.parquet"
"""What the tests spoil."""


def problems(*folders: Path, verify: Verify = "quick", **settings: Any) -> list[str]:  # noqa: ANN401 - any setting
    with pytest.raises(DataError) as caught:
        open_corpora(section(*folders, **settings), verify=verify)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def told(found: list[str], *words: str) -> None:
    """One problem only, that says all of it."""
    assert len(found) == 1, found
    for word in words:
        assert word in found[0], f"{word!r} is not in {found[0]!r}"


def relist(folder: Path, entry: dict[str, Any]) -> None:
    """Publish an index that lists another shard in the place of the second one."""
    storage = Storage(str(folder))
    index, corpus = storage.read_json("tokens/index.json"), storage.read_json("corpus.json")
    index["streams"]["main"]["shards"][1] = {**index["streams"]["main"]["shards"][1], **entry}
    publish(storage, index, corpus["files"]["other"], {"name": corpus["name"]})
