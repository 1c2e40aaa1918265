"""A file that looks like one of `torch.save` and runs its own code when it is loaded as TorchScript."""

from __future__ import annotations

from pathlib import Path

import torch


class Script(torch.nn.Module):
    """Its `__setstate__` is TorchScript, which writes a file as soon as the archive is loaded."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self.target = target

    def forward(self) -> None:
        pass

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return self.target, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.target = state[0]
        self.training = state[1]
        torch.save(torch.zeros(1), self.target)


def save_script(archive: Path, target: Path) -> None:
    """Write an archive whose code writes `target`; it is shown to do so."""
    torch.jit.save(torch.jit.script(Script(str(target))), archive)
    torch.jit.load(archive)
    assert target.exists(), "the archive is not as dangerous as it is meant to be"
    target.unlink()
