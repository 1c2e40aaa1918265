"""How the processes of a run are started and watched."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from lauter.trainer.config.fields import Natural, Number, Positive, Section

_LINE = r"^[^\r\n]+$"


def _defaults(value: object) -> object:
    """A key with nothing after it means the defaults, as if it were not there."""
    return {} if value is None else value


class SlurmSection(Section):
    """Of `lauter launch slurm`: what its job asks for, besides nodes and ranks."""

    time: Annotated[str, Field(pattern=r"^(\d+|\d+:\d\d|\d+:\d\d:\d\d|\d+-\d+(:\d\d){0,2})$")] | None = None
    """Limit of one job, as `sbatch --time` takes it: `24:00:00`, `1-12`. The run goes on in as many as it needs.
    Default: the partition's. In YAML with quotes: without them 1:30:00 is a number."""
    account: Annotated[str, Field(pattern=r"^[\w.@-]+$")] | None = None
    partition: Annotated[str, Field(pattern=r"^[\w.,-]+$")] | None = None
    options: Annotated[tuple[Annotated[str, Field(pattern=r"^-[^\r\n]*$")], ...], Field(strict=False)] = ()
    """More options of sbatch: `--gpus-per-node=4`, `--exclusive`."""
    before: Annotated[tuple[Annotated[str, Field(pattern=_LINE)], ...], Field(strict=False)] = ()
    """Shell lines of the job before the ranks start: `module load`, variables of NCCL."""


class LaunchSection(Section):
    """Nothing here changes what is computed."""

    hang_seconds: Annotated[Number, Field(gt=0)] | None = 1800.0
    """Ranks that make no progress for so long end, and say which of them the others waited for; null never. A step, a
    save or a validation must take less."""
    nodes: Positive = 1
    least_nodes: Positive | None = None
    """Under torchrun a run also starts, and goes on after a loss, with so few. Default: `nodes`."""
    ranks_per_node: Positive = 1
    """One a GPU; on CPUs one a socket, say."""
    threads: Positive = 1
    """CPU threads of each rank (`OMP_NUM_THREADS`)."""
    restarts: Natural = 3
    """A run that failed, hung or lost a rank is started again from its last checkpoint, so many times."""
    stop_seconds: Positive = 300
    """From the signal to stop up to the kill: a step and a save must fit into it. Slurm gives the signal so long before
    a job's limit; torchrun waits so long for its ranks."""
    slurm: Annotated[SlurmSection, BeforeValidator(_defaults)] = SlurmSection()

    @model_validator(mode="after")
    def _least_is_not_most(self) -> LaunchSection:
        if self.least_nodes is not None and self.least_nodes > self.nodes:
            raise ValueError(f"least_nodes ({self.least_nodes}) is more than nodes ({self.nodes})")
        return self
