"""The command that every rank runs, whoever starts it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TrainCommand:
    """`lauter train` with its arguments, as they were given."""

    config: str
    overrides: tuple[str, ...] = ()
    out: str | None = None
    data: tuple[str, ...] = ()
    start: str | None = None
    cooldown: int | None = None
    phase: str | None = None
    verify: str = "quick"

    def words(self) -> list[str]:
        """From `train` on.

        >>> TrainCommand("nano.yaml", ("seed=1",), out="out/nano").words()
        ['train', 'nano.yaml', 'seed=1', '--out', 'out/nano']
        """
        options = [
            ("--out", self.out),
            *(("--data", one) for one in self.data),
            ("--from", self.start),
            ("--cooldown", self.cooldown),
            ("--phase", self.phase),
            ("--verify", None if self.verify == "quick" else self.verify),
        ]
        given = [word for name, value in options if value is not None for word in (name, str(value))]
        return ["train", self.config, *self.overrides, *given]


def beside_python(program: str) -> str:
    """The path of a program of this environment: nodes need not have it in their PATH. Its name where it lies apart."""
    path = Path(sys.executable).parent / program
    return str(path) if path.exists() else program
