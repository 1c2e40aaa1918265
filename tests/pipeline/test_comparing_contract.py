"""A stage that breaks the contract of comparing is told so, before any work or by the task that met it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lauter.pipeline.comparing import Signed
from lauter.pipeline.conformance import is_barrier, shortcomings
from lauter.pipeline.contract import StageContext
from lauter.pipeline.steps.isolate import StageError
from lauter.pipeline.steps.joining.sign import IDENTITY_BIT, signatures
from lauter.pipeline.steps.joining.stage import signed, with_source
from tests.pipeline.similar_stage import Similar, SimilarConfig

BATCH = with_source(
    pa.RecordBatch.from_pydict(
        {
            "row": pa.array([3, 4, 8], pa.uint32()),
            "text": pa.array(["one two", "alone here", "one two"], pa.large_string()),
            "url": ["https://a.example/", "https://a.example/", None],
            "payload_hash": pa.nulls(3, pa.uint64()),
        }
    ),
    "source-a",
)


class Odd(Similar):
    """Gives something else than it should."""

    def __init__(self, changed: dict[str, Any]) -> None:
        super().__init__(SimilarConfig(), StageContext())
        self._changed = changed

    def sign(self, batch: pa.RecordBatch) -> Signed:
        """As `Similar`, but for what was changed."""
        return replace(super().sign(batch), **self._changed)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"item": np.zeros(2, np.uint64)}, r"`item` must be uint64 of shape \(3,\), not uint64 \(2,\)"),
        ({"item": np.zeros(3, np.int64)}, "`item` must be uint64"),
        ({"key": np.zeros(1, np.uint64)}, "`key` must be uint64|`row` must be int64"),
        ({"identities": np.zeros((3, 1), np.uint64)}, r"`identities` must be uint64 of shape \(3, 2\)"),
        ({"sketches": pa.RecordBatch.from_pydict({"x": [1, 2, 3]})}, "sign gave 3 sketches for 3 documents"),
    ],
    ids=["length", "type", "keys", "identities", "sketches"],
)
def test_what_sign_gives_is_checked(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(StageError, match=said):
        signed(Odd(changed), BATCH)


def test_a_document_that_is_compared_with_nothing_leaves_nothing() -> None:
    items, keys = signatures(Similar(SimilarConfig(), StageContext()), BATCH)
    assert items.column("row").to_pylist() == [3, 8]
    identity = (keys.column("key").to_numpy() & IDENTITY_BIT) != 0
    # Equal items leave the near keys of one of them; only the first document here has a URL and is compared.
    assert (int(identity.sum()), int((~identity).sum())) == (1, 2)
    assert set(keys.column("item").to_pylist()) == set(items.column("item").to_pylist())


def test_the_class_of_a_stage_that_compares() -> None:
    assert is_barrier(Similar) and shortcomings(Similar) == []

    class Loose(Similar):
        sketches = pa.schema([pa.field("words", pa.list_(pa.uint32()))])

    class Numbered(Similar):
        identities = (1,)  # type: ignore[assignment]

    assert shortcomings(Loose) == ["its sketches words have no fixed width"]
    assert shortcomings(Numbered) == ["`identities` must be a tuple of str"]
