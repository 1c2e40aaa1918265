"""What every import hands on and gives back, and how it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from lauter.trainer.model.shape import ModelShape


class ModelImportError(Exception):
    """A model that can't be taken over: every problem found, one a line, with what to do about it."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Imported:
    """A model that was written as a checkpoint."""

    shape: ModelShape
    notes: tuple[str, ...]
    """What the user should know and what stopped nothing."""


class LazyTensors(Mapping[str, Tensor]):
    """Tensors that are read each time they are asked for, so that no two need be in memory."""

    def __init__(self, names: Iterable[str], read: Callable[[str], Tensor]) -> None:
        self._names = tuple(names)
        self._read = read

    def __getitem__(self, name: str) -> Tensor:
        return self._read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
