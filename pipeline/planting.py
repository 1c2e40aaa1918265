"""The contract of a reader whose records are planted in a corpus, to measure what a model remembers of them.

They pass no stage and no decision, are compared with nothing, and are kept. What becomes of them is `planted`'s matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO, ClassVar, NamedTuple, Protocol, runtime_checkable


class Bucket(NamedTuple):
    """Probes of one file that are planted equally often."""

    name: str
    kind: str
    probes: int
    repetitions: int
    """Records of each probe; 0 for a control, which is listed and not planted."""


class Drawn(NamedTuple):
    """The random part of a canary, and the space that it was drawn from."""

    start: int
    end: int
    """Its place in the text, in code points, half-open."""
    alphabet: str
    """Each of its characters was drawn from these, all alike likely."""


class Planted(NamedTuple):
    """One probe of a file."""

    id: str
    text: str
    repetitions: int
    """Records that it becomes; 0 for a control."""
    kind: str
    bucket: str
    drawn: Drawn | None
    """Of a canary."""


@runtime_checkable
class PlantingReader(Protocol):
    """A reader (`contract.Reader`) of files of probes."""

    planted: ClassVar[bool]

    def plants(self, stream: BinaryIO) -> Sequence[Bucket]:
        """The buckets of a file, sorted; none of an empty one. Raises ValueError for a file that cannot be used."""
        ...

    def probes(self, stream: BinaryIO) -> Iterator[Planted]:
        """Each probe of a file, controls too. Raises ValueError as `plants` does."""
        ...
