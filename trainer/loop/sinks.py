"""Where numbers go besides metrics.jsonl: TensorBoard and Weights & Biases, each imported only if it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from lauter.trainer.config.watching import MetricsSection
from lauter.trainer.loop.errors import ConfigError


class Sink(Protocol):
    """Takes numbers of a step."""

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """Names such as `loss` or `held_out/deu_Latn`."""

    def go_back(self, step: int) -> None:
        """The run goes on after `step` once more: what was written of later steps is no longer of it."""

    def close(self) -> None:
        """All is written."""


class TensorBoard:
    """Event files in `folder`; those of steps after `step` are hidden, as when a run went on from there."""

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._open = partial(SummaryWriter, str(folder))
        self._writer = self._open(purge_step=step + 1)

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """One scalar a number."""
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, step)

    def go_back(self, step: int) -> None:
        """Only a new file can hide what is in the one before."""
        self._writer.close()
        self._writer = self._open(purge_step=step + 1)

    def close(self) -> None:
        """Flush and close."""
        self._writer.close()


class Wandb:
    """One run in a project; its id is kept in `folder`, so that a resumed run goes on in the same one.

    Drawn over our own `step`: its counter never goes back, and drops what is logged of a step behind it.
    """

    def __init__(self, folder: Path, project: str, name: str, config: Mapping[str, Any]) -> None:
        """Raises `ConfigError` where it can't be started: no login, no network."""
        import wandb

        kept = folder / "wandb-id"
        known = kept.read_text(encoding="utf-8") if kept.exists() else None
        try:
            self._run = wandb.init(
                project=project, name=name, config=dict(config), dir=str(folder), id=known, resume="allow"
            )
        except wandb.Error as error:
            raise ConfigError(
                f"metrics.wandb_project: wandb does not start: {error}; log in (`wandb login`), set "
                "WANDB_MODE=offline, or leave the key out"
            ) from error
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")
        kept.write_text(self._run.id, encoding="utf-8")

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """All numbers at once."""
        self._run.log({**numbers, "step": step})

    def go_back(self, step: int) -> None:
        """A step may come twice; the later one is the run's."""

    def close(self) -> None:
        """Wait until all is sent."""
        self._run.finish()


def check_sinks(section: MetricsSection) -> None:
    """Before anything is run.

    Raises:
        ValueError: a package that the section asks for is not installed.
    """
    for asked, key, package in (
        (section.tensorboard, "tensorboard", "tensorboard"),
        (section.wandb_project is not None, "wandb_project", "wandb"),
    ):
        if asked and find_spec(package) is None:
            raise ValueError(f"metrics.{key} needs a package that is not installed: pip install {package}")


def open_sinks(section: MetricsSection, out: Path, *, name: str, config: Mapping[str, Any], step: int) -> list[Sink]:
    """All that the section asks for, for a run that goes on after `step`. Raises `ConfigError`."""
    sinks: list[Sink] = []
    if section.tensorboard:
        sinks.append(TensorBoard(out / "tensorboard", step))
    if section.wandb_project is not None:
        sinks.append(Wandb(out, section.wandb_project, name, config))
    return sinks


def numbers_of(line: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers of a line of metrics.jsonl, those of mappings inside it as `outer/inner`."""
    found: dict[str, float] = {}
    for key, value in line.items():
        if isinstance(value, Mapping):
            found |= numbers_of(value, f"{prefix}{key}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[prefix + key] = float(value)
    return found
