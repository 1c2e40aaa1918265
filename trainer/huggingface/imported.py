"""What every import gives back, and how it fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
