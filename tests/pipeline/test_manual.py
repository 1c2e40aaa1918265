"""Types as the manual of a manifest writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from lauter.pipeline.contract import FilePath, SnapshotPath
from lauter.pipeline.manual import type_name


class Entry(BaseModel):
    host: str
    reason: str


@pytest.mark.parametrize(
    ("annotation", "written"),
    [
        (int, "int"),
        (str | None, "str or none"),
        (Literal["allow", "deny"] | None, "'allow' or 'deny' or none"),
        (tuple[Entry, ...], "list of {host, reason}"),
        (Sequence[float], "list of float"),
        (Mapping[str, Literal["a", "b"]], "mapping of str to 'a' or 'b'"),
        (FilePath | None, "file path or none"),
        (tuple[SnapshotPath, ...], "list of snapshot path"),
        (Annotated[int, Field(ge=1)], "int"),
    ],
)
def test_types(annotation: object, written: str) -> None:
    assert type_name(annotation) == written
