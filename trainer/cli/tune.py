"""`lauter tune`: from a base model to one that answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from lauter.pipeline.cli.console import FAILED, USAGE, JsonOption, show
from lauter.pipeline.yaml_lines import ManifestError
from lauter.trainer.cli.needing import needs_torch
from lauter.trainer.cli.ranks import fail_rank, interrupt_told

app = typer.Typer(no_args_is_help=True, help="Train a model further: on answers, or on preferences between them.")

Config = Annotated[str, typer.Argument(metavar="CONFIG", help="The YAML config.")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[key=value]…", help="Changes to it: dotted.key=value.")]
Out = Annotated[str | None, typer.Option("--out", metavar="DIR", help="The run folder. Default: out/NAME.")]
Data = Annotated[
    list[str] | None,
    typer.Option("--data", metavar="DIR", help="A run folder of `lauter build`, in place of the config's; repeatable."),
]
Start = Annotated[
    str | None,
    typer.Option("--from", metavar="CHECKPOINT", help="Whose weights are tuned; a run that goes on needs none."),
]
Check = Annotated[
    Literal["quick", "full"],
    typer.Option("--verify", help="Check the corpora's sizes and footers first, or every byte."),
]


@app.callback()
def tune() -> None:
    """Train a model further: on answers, or on preferences between them."""


@app.command()
def sft(
    config: Config,
    overrides: Overrides = None,
    out: Out = None,
    data: Data = None,
    start: Start = None,
    verify: Check = "quick",
    *,
    as_json: JsonOption = False,
) -> None:
    """Supervised fine-tuning: loss on the answers of dialogues only; the same command goes on where a run stopped."""
    with interrupt_told():
        from lauter.trainer.config.load import load_tune

        try:
            section = load_tune(config, overrides or (), data or ())
        except ManifestError as error:
            fail_rank(str(error), USAGE)
        with needs_torch():
            from lauter.trainer.cli.running import console_of, end, faults_told
            from lauter.trainer.loop.run import train
            from lauter.trainer.loop.tune import tuned
        folder = Path("out") / section.name if out is None else Path(out)
        origin = None if start is None else Path(start)
        with faults_told(folder):
            run = tuned(section, "sft", folder, origin)
            outcome = train(run, folder, start=origin, console=console_of(as_json=as_json), verify=verify)
        end(outcome, as_json=as_json)


@app.command()
def qrpo(
    config: Config,
    overrides: Overrides = None,
    out: Out = None,
    start: Start = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """QRPO on pairs of completions, which are made first where they are missing; the same command goes on."""
    _prefer("qrpo", config, overrides or (), out, start, as_json=as_json)


@app.command()
def dpo(
    config: Config,
    overrides: Overrides = None,
    out: Out = None,
    start: Start = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """DPO on pairs of completions, which are made first where they are missing; the same command goes on."""
    _prefer("dpo", config, overrides or (), out, start, as_json=as_json)


@app.command()
def measure(
    config: Config,
    overrides: Overrides = None,
    out: Out = None,
    start: Start = None,
    prompts: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="In place of the config's prompts; held-out ones say more. Repeatable."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, metavar="N", help="So many prompts, from the first.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Of what both models draw.")] = 1,
    *,
    as_json: JsonOption = False,
) -> None:
    """How much better a run's answers are than those of the model that it began with, and how far it has gone."""
    from lauter.trainer.config.load import load_tune

    try:
        section = load_tune(config, overrides or (), needs_data=False)
    except ManifestError as error:
        fail_rank(str(error), USAGE)
    folder = Path("out") / section.name if out is None else Path(out)
    if section.preference is None:
        fail_rank(f"{config}: has no section `preference`, which says what is the better answer", USAGE)
    with needs_torch():
        from lauter.trainer.cli.running import faults_told
        from lauter.trainer.preference.endpoint import EndpointError
        from lauter.trainer.preference.measure import measure_run
        from lauter.trainer.preference.rewards import RewardError
    with interrupt_told(), faults_told(folder):
        try:
            files = prompts or section.preference.prompts
            origin = None if start is None else Path(start)
            found = measure_run(section.preference, folder, origin, files, count, seed)
        except (RewardError, EndpointError) as error:
            fail_rank(str(error), FAILED)
    if as_json:
        show(found.to_json())
        return
    print(f"quantile reward  {found.quantile:.3f}, before {found.quantile_before:.3f}")
    print(f"reward           {found.reward:.4g}, before {found.reward_before:.4g}")
    print(f"KL divergence    {found.kl:.3f} ± {found.kl_error:.3f} nats a completion")
    print(f"tokens           {found.tokens:.1f}, before {found.tokens_before:.1f}")


def _prefer(
    objective: Literal["qrpo", "dpo"],
    config: str,
    overrides: Sequence[str],
    out: str | None,
    start: str | None,
    *,
    as_json: bool,
) -> None:
    with interrupt_told():
        from lauter.trainer.config.load import load_tune

        try:
            section = load_tune(config, overrides, needs_data=False)
        except ManifestError as error:
            fail_rank(str(error), USAGE)
        with needs_torch():
            from lauter.trainer.cli.running import console_of, end, faults_told
            from lauter.trainer.loop.run import train
            from lauter.trainer.preference.endpoint import EndpointError
            from lauter.trainer.preference.rewards import RewardError
            from lauter.trainer.preference.tuning import tuned_by_preferences
        folder = Path("out") / section.name if out is None else Path(out)
        origin = None if start is None else Path(start)
        console = console_of(as_json=as_json)
        with faults_told(folder):
            try:
                run = tuned_by_preferences(section, objective, folder, origin, console.print)
            except (RewardError, EndpointError) as error:
                fail_rank(str(error), FAILED)
            outcome = train(run, folder, start=origin, console=console)
        end(outcome, as_json=as_json)
