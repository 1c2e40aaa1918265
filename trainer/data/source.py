"""What the loop asks of samples by number, whatever they are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from lauter.trainer.batch import Batch
from lauter.trainer.data.packing import LeftOut


class SampleSource(Protocol):
    """Samples of `sequence_length` places each; what any of them holds follows from the config and its number."""

    @property
    def order(self) -> dict[str, Any]:
        """All that decides what a sample holds, as JSON."""
        ...

    @property
    def fingerprint(self) -> str:
        """SHA-256 of `order`."""
        ...

    @property
    def left_out(self) -> Mapping[str, LeftOut]:
        """By part of the data, what of an epoch no sample holds."""
        ...

    @property
    def total(self) -> int | None:
        """How many there are; None where they have no end."""
        ...

    def batch(self, numbers: Sequence[int]) -> Batch:
        """One micro-batch of these samples. Raises `DataError`."""
        ...

    def go_on(self, read: Mapping[str, Any]) -> list[str]:
        """Begin where an earlier run stopped reading the same data; the names of what goes on."""
        ...

    def read(self, samples: int) -> dict[str, Any]:
        """How far the data were read after so many samples, as JSON; `go_on` takes it."""
        ...

    def continues(self, order: Mapping[str, Any], samples: int) -> bool:
        """Whether the first `samples` samples are the same here as under another `order`."""
        ...

    def stage_at(self, sample: int) -> str:
        """Name of the stage of a sample."""
        ...

    def epochs(self, samples: int) -> dict[str, float]:
        """How often each part of the data has been gone through after so many samples; 1.0 is once."""
        ...
