"""`lauter launch`."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from lauter.pipeline.cli.console import FAILED, USAGE, fail
from lauter.pipeline.yaml_lines import ManifestError
from lauter.trainer.config.load import load
from lauter.trainer.config.sections import RunSection
from lauter.trainer.launch.command import TrainCommand

app = typer.Typer(help="Start the ranks of a run: print or run torchrun's line, write a job for Slurm.")

Config = Annotated[str, typer.Argument(metavar="CONFIG", help="The YAML config of `lauter train`.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[key=value]…", help="Changes to it, those of launch.* too.")
]
Out = Annotated[str | None, typer.Option("--out", metavar="DIR", help="The run folder. Default: out/NAME.")]
Data = Annotated[list[str] | None, typer.Option("--data", metavar="DIR", help="As `lauter train` takes it.")]
Start = Annotated[str | None, typer.Option("--from", metavar="CHECKPOINT", help="As `lauter train` takes it.")]
Cooldown = Annotated[int | None, typer.Option("--cooldown", metavar="TOKENS", help="As `lauter train` takes it.")]
Phase = Annotated[str | None, typer.Option("--phase", metavar="NAME", help="As `lauter train` takes it.")]
Verify = Annotated[Literal["quick", "full"], typer.Option("--verify", help="As `lauter train` takes it.")]
Nodes = Annotated[int | None, typer.Option("--nodes", min=1, help="Default: launch.nodes of the config.")]
RanksPerNode = Annotated[
    int | None, typer.Option("--ranks-per-node", min=1, help="Default: launch.ranks_per_node of the config.")
]


@app.command()
def torchrun(
    config: Config,
    overrides: Overrides = None,
    out: Out = None,
    data: Data = None,
    start: Start = None,
    cooldown: Cooldown = None,
    phase: Phase = None,
    verify: Verify = "quick",
    nodes: Nodes = None,
    ranks_per_node: RanksPerNode = None,
    endpoint: Annotated[
        str | None, typer.Option(metavar="HOST[:PORT]", help="Of several nodes: where they meet; the same on all.")
    ] = None,
    *,
    run: Annotated[bool, typer.Option("--run", help="Become torchrun, on this node, in place of printing.")] = False,
) -> None:
    """Print the line that starts a run under torchrun; of several nodes, on each of them."""
    command = _command(config, overrides, out, data, start, cooldown, phase, verify)
    section = _section(command, nodes, ranks_per_node)
    from lauter.trainer.launch.torchrun import torchrun_line

    try:
        variables, words = torchrun_line(section.launch, command, name=section.name, endpoint=endpoint)
    except ValueError as error:
        fail(str(error), USAGE)
    if not run:
        sys.stdout.write(f"{' '.join(f'{key}={value}' for key, value in variables.items())} {shlex.join(words)}\n")
        return
    try:
        os.execvpe(words[0], words, {**os.environ, **variables})
    except OSError as error:
        fail(f"{words[0]}: {error.strerror}; it comes with torch: pip install 'lauter[train]'", FAILED)


@app.command()
def slurm(
    config: Config,
    overrides: Overrides = None,
    out: Out = None,
    data: Data = None,
    start: Start = None,
    cooldown: Cooldown = None,
    phase: Phase = None,
    verify: Verify = "quick",
    nodes: Nodes = None,
    ranks_per_node: RanksPerNode = None,
    *,
    submit: Annotated[bool, typer.Option("--submit", help="Hand it to sbatch.")] = False,
) -> None:
    """Write DIR/launch/job.sh, a job for Slurm that requeues itself until the run is finished."""
    command = _command(config, overrides, out, data, start, cooldown, phase, verify)
    section = _section(command, nodes, ranks_per_node)
    from lauter.trainer.launch.slurm import slurm_script
    from lauter.trainer.loop.errors import ConfigError
    from lauter.trainer.loop.folder import LAUNCH, require_run_folder

    run_folder = (Path("out") / section.name if out is None else Path(out)).absolute()
    folder = run_folder / LAUNCH
    # A job of a phase is another job, and its notes are its own.
    name = section.name if phase is None else f"{section.name}-{phase}"
    folder = folder if phase is None else folder / phase
    script = folder / "job.sh"
    try:
        require_run_folder(run_folder)
        text = slurm_script(section.launch, command, name=name, folder=folder, started_in=Path.cwd())
        folder.mkdir(parents=True, exist_ok=True)
        script.write_text(text, encoding="utf-8")
    except (ConfigError, ValueError) as error:
        fail(str(error), USAGE)
    except OSError as error:
        fail(f"{error.filename or script}: {error.strerror}", USAGE)
    console = Console(emoji=False)
    if not submit:
        console.print(f"sbatch {shlex.quote(str(script))}", soft_wrap=True, highlight=False, markup=False)
        return
    if shutil.which("sbatch") is None:
        fail(f"there is no sbatch here; on a machine that has it: sbatch {shlex.quote(str(script))}", FAILED)
    raise typer.Exit(FAILED if subprocess.run(["sbatch", str(script)], check=False).returncode else 0)


def _command(
    config: str,
    overrides: list[str] | None,
    out: str | None,
    data: list[str] | None,
    start: str | None,
    cooldown: int | None,
    phase: str | None,
    verify: str,
) -> TrainCommand:
    return TrainCommand(config, tuple(overrides or ()), out, tuple(data or ()), start, cooldown, phase, verify)


def _section(command: TrainCommand, nodes: int | None, ranks_per_node: int | None) -> RunSection:
    """The checked config with what the options say of nodes: a slip is told here, not by a thousand ranks."""
    changes = [f"launch.nodes={nodes}"] if nodes is not None else []
    changes += [f"launch.ranks_per_node={ranks_per_node}"] if ranks_per_node is not None else []
    try:
        section = load(
            command.config,
            (*command.overrides, *changes),
            command.data,
            cools_down=command.cooldown is not None,
            phase=command.phase,
        )
    except ManifestError as error:
        fail(str(error), USAGE)
    from lauter.trainer.launch.fitting import require_ranks
    from lauter.trainer.loop.errors import ConfigError

    try:
        require_ranks(section, section.launch.nodes * section.launch.ranks_per_node)
    except ConfigError as error:
        fail(str(error), USAGE)
    return section
