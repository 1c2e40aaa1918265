"""`lauter train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import TypeAdapter, ValidationError

from lauter.pipeline.cli.console import USAGE, JsonOption
from lauter.pipeline.yaml_lines import ManifestError
from lauter.trainer.cli.needing import needs_torch
from lauter.trainer.cli.ranks import fail_rank, interrupt_told
from lauter.trainer.config.fields import Tokens

app = typer.Typer()


def _tokens(text: str) -> int:
    """As settings take it: 20_000 or 2e4."""
    try:
        return TypeAdapter(Tokens).validate_python(text)
    except ValidationError as error:
        raise typer.BadParameter(f"expected a whole number of tokens, at least 1, not {text!r}") from error


@app.command()
def train(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="The YAML config.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[key=value]…", help="Changes to it: dotted.key=value.")
    ] = None,
    out: Annotated[str | None, typer.Option(metavar="DIR", help="The run folder. Default: out/NAME.")] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="DIR", help="A run folder of `lauter build`, in place of the config's; repeatable."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="CHECKPOINT", help="Begin at a checkpoint of another run, or an import."),
    ] = None,
    cooldown: Annotated[
        int | None,
        typer.Option(
            parser=_tokens, metavar="TOKENS", help="Of a branch (--from): only cool down, for so many tokens."
        ),
    ] = None,
    phase: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="One of the config's phases, from the end of the one before it; into DIR/phases/NAME.",
        ),
    ] = None,
    verify: Annotated[
        Literal["quick", "full"], typer.Option(help="Check the corpora's sizes and footers first, or every byte.")
    ] = "quick",
    hardware: Annotated[
        str, typer.Option(metavar="NAME", help="Of --plan: h100, gh200, a100, or cpu, which is this machine.")
    ] = "cpu",
    ranks: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Of --address; default: launch.nodes x launch.ranks_per_node. Of --plan; default: the product of "
            "the axes.",
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="The ranks run on this Ray cluster: HOST:PORT, auto, or local for a new one."
        ),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(metavar="KEY=N,…", help="Of --plan: another layout, such as tensor=4,pipeline=8,micro=1."),
    ] = None,
    mfu: Annotated[
        float | None, typer.Option(min=0.001, max=1, help="Of --plan: share of the peak, where you know it.")
    ] = None,
    tokens_per_second: Annotated[
        float | None, typer.Option(min=0.001, help="Of --plan: of one rank, where you measured it.")
    ] = None,
    node_mtbf: Annotated[
        float | None, typer.Option(metavar="HOURS", min=0.001, help="Of --plan: mean time between failures of a node.")
    ] = None,
    storage_bandwidth: Annotated[
        float | None, typer.Option(metavar="BYTES/S", min=1, help="Of --plan: to where checkpoints are saved.")
    ] = None,
    *,
    plan: Annotated[
        bool, typer.Option("--plan", help="Show what the run takes, and layouts that fit; train nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Train a model on corpora; the same command goes on where a run stopped."""
    with interrupt_told():
        from lauter.trainer.config.load import load, phases, schedule_given

        try:
            section = load(
                config, overrides or (), data or (), cools_down=cooldown is not None, phase=phase, needs_data=not plan
            )
            names = phases(config, overrides or ())
        except ManifestError as error:
            fail_rank(str(error), USAGE)
        folder = Path("out") / section.name if out is None else Path(out)
        origin = None if start is None else Path(start)
        with needs_torch():
            from lauter.trainer.cli.on_ray import launch_on_ray
            from lauter.trainer.cli.plan import show_plan
            from lauter.trainer.cli.running import console_of, end, faults_told
            from lauter.trainer.launch.command import TrainCommand
            from lauter.trainer.loop.phase import begins_at, phase_folder
            from lauter.trainer.loop.run import train as run
            from lauter.trainer.planner.plan import Wanted
        if plan:
            wanted = Wanted(hardware, ranks, layout, mfu, tokens_per_second, node_mtbf, storage_bandwidth)
            show_plan(section, wanted, as_json=as_json)
            return
        if address is not None:
            command = TrainCommand(
                config, tuple(overrides or ()), out, tuple(data or ()), start, cooldown, phase, verify
            )
            words = [*command.words(), *(["--json"] if as_json else [])]
            raise typer.Exit(launch_on_ray(section, words, address, ranks))
        with faults_told(folder):
            if phase is not None:
                origin = origin or begins_at(folder, names, phase, section.schedule.from_tokens)
                folder = phase_folder(folder, phase)
                section = section.model_copy(update={"name": f"{section.name}-{phase}"})
            outcome = run(
                section,
                folder,
                start=origin,
                console=console_of(as_json=as_json),
                cooldown=cooldown,
                schedule=schedule_given(overrides or ()),
                verify=verify,
            )
        end(outcome, as_json=as_json)
