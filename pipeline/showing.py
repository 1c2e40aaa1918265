"""What `lauter try` may ask besides: a stage, where in a text it found something; a reader, a record's own fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Protocol, runtime_checkable


@runtime_checkable
class SpanningStage(Protocol):
    """A map stage that rewrites stretches of `text`, and says which of the text as it was given."""

    def spans_of(self, row: Mapping[str, Any]) -> list[tuple[int, int, str]]:
        """Start and end, in code points of the row's `text`, and type of each, in order; asked after `open`.

        `row` holds what `apply` reads of one record.
        """
        ...


@runtime_checkable
class ShowingReader(Protocol):
    """A reader whose records have fields of their own."""

    def given(self, stream: BinaryIO) -> Iterator[Mapping[str, Any]]:
        """The fields of each row that `read` makes of the file, in its order; empty where there are none."""
        ...
