"""`lauter build`, `plan` and `stages`: from a manifest."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from lauter.pipeline.cli.compiling import told_of_kernels
from lauter.pipeline.cli.console import FAILED, INTERRUPTED, USAGE, JsonOption, ManifestArgument, fail, root_of, show
from lauter.pipeline.storage import StorageError
from lauter.pipeline.yaml_lines import ManifestError


class ExecutorName(StrEnum):
    """Where tasks run."""

    inline = "inline"
    ray = "ray"


def build(
    manifest: ManifestArgument,
    out: Annotated[str, typer.Option("--out", help="The run folder (local path or s3://).")],
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; default: the cores of the machine or cluster.")
    ] = None,
    address: Annotated[str | None, typer.Option(help="Ray cluster to join; default: a local one.")] = None,
    executor: Annotated[
        ExecutorName | None,
        typer.Option(help="inline: this process; ray: worker processes. Default: inline below 64 MB of input."),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Build or resume a corpus; prints the funnel and the paths."""
    from lauter.pipeline.build import BuildOptions, build_corpus, default_executor

    if executor is ExecutorName.inline and (address is not None or (workers or 1) > 1):
        fail("--executor inline runs in this one process; leave out --address and --workers, or take ray", USAGE)
    console = Console(stderr=as_json, emoji=False)
    started = time.monotonic()
    where = root_of(out)
    try:
        checked = _manifest(manifest, where)
        chosen = executor.value if executor else default_executor(checked, workers, address)
        with told_of_kernels():
            outcome = build_corpus(checked, BuildOptions(out, chosen, workers, address), console)
    except (ManifestError, StorageError, ConnectionError) as error:
        fail(str(error), USAGE if isinstance(error, ManifestError) else FAILED)
    except OSError as error:
        # A task's errors are in the report: this one is the run folder's own.
        fail(f"the run folder {where} can't be used: {error}", FAILED)
    except KeyboardInterrupt:
        fail("stopped; the same command goes on from here: what is done is kept", INTERRUPTED)
    for failure in outcome.report.failures:
        Console(stderr=True, emoji=False).print(
            f"[bold red]failed:[/] {failure.name}: {escape(failure.error.strip())}", soft_wrap=True
        )
    if outcome.report.failures:
        fail(
            f"{len(outcome.report.failures)} task(s) could not be done, {len(outcome.report.skipped)} wait for them; "
            "mend the cause and run the same command again: what is done is kept",
            FAILED,
        )
    from lauter.pipeline.report.funnel import print_funnel, print_nothing_kept, print_warnings

    print_warnings(Console(stderr=True, emoji=False), outcome.corpus)
    print_nothing_kept(Console(stderr=True, emoji=False), outcome.corpus)
    if as_json:
        show(outcome.corpus)
        return
    print_funnel(console, outcome.corpus)
    for name, path in (
        ("tokens", "tokens/index.json"),
        ("ledger", "ledger/"),
        ("report", "report/index.html"),
    ):
        console.print(f"{name:<8}{where}/{path}", soft_wrap=True, highlight=False)
    seconds = time.monotonic() - started
    if outcome.report.executed:
        tasks = f"{outcome.report.executed} tasks run, {outcome.report.cached} were done before"
        if outcome.report.reused:
            tasks += (
                f"; {outcome.report.reused:,} records decided as before, "
                f"{outcome.report.recomputed:,} passed the later stages anew"
            )
        console.print(f"done in {seconds:.1f} s: {tasks}", highlight=False)
    else:
        console.print(
            f"nothing to do: all {outcome.report.cached} tasks were done before ({seconds:.1f} s)", highlight=False
        )


def _manifest(path: str, out: str | None) -> Any:  # noqa: ANN401 - a Manifest; its import is left to the commands that need it
    from lauter.pipeline.resolve import load
    from lauter.stages.catalogue import CATALOGUE

    return load(path, CATALOGUE, out)


def plan(
    manifest: ManifestArgument,
    out: Annotated[
        str | None, typer.Option("--out", help="A run folder: say what of the build is done there already.")
    ] = None,
    scale: Annotated[
        str | None, typer.Option(help="Forecast for so many tokens that come out: 200M, 4815e9, 15T.")
    ] = None,
    cores: Annotated[int | None, typer.Option(min=1, help="Forecast for so many cores.")] = None,
    price: Annotated[float | None, typer.Option(min=0, metavar="EUR", help="Euro a core-hour. Default: 0.04.")] = None,
    sample: Annotated[
        str | None, typer.Option(metavar="MANIFEST", help="Calibrate with this manifest's input and stages instead.")
    ] = None,
    sample_mb: Annotated[
        int | None, typer.Option(min=1, help="MB of pages and texts to calibrate with. Default: 8.")
    ] = None,
    rates: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Measured rates. Default: those of such stages and input, else Lauter's own."
        ),
    ] = None,
    *,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Measure rates on this machine first; takes about a minute.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a build would run, and what it will cost; with --out what of it is done. Changes no run folder."""
    from lauter.pipeline.build import describe_plan, print_plan
    from lauter.pipeline.cost.command import Asked, asks, costs
    from lauter.pipeline.cost.measure import SampleFailed
    from lauter.pipeline.cost.page import print_forecast
    from lauter.pipeline.cost.rates import RatesError
    from lauter.pipeline.cost.report import NoForecast
    from lauter.pipeline.mixture_plan import (
        UnfitMixture,
        built_index,
        describe_mixture,
        is_mixture,
        load_plan,
        print_mixture,
    )
    from lauter.stages.catalogue import CATALOGUE

    if (sample is not None or sample_mb is not None) and not calibrate:
        fail("--sample and --sample-mb say what to measure with: add --calibrate", USAGE)
    if rates is not None and calibrate:
        fail("--rates takes what was measured, --calibrate measures anew: leave one out", USAGE)
    where = None if out is None else root_of(out)
    asked = Asked(_tokens(scale), cores, price, rates, calibrate, None if sample_mb is None else sample_mb << 20)
    console, forecast = Console(stderr=as_json, emoji=False), None
    try:
        mixture = load_plan(manifest, CATALOGUE) if is_mixture(manifest) else None
        checked = mixture.manifest if mixture else _manifest(manifest, where)
        data = describe_plan(checked, where)
        if mixture:
            data["mixture"] = describe_mixture(mixture.section, built_index(where))
        if out is None or asks(asked):
            forecast = costs(checked, checked if sample is None else _manifest(sample, None), asked, console)
    except (ManifestError, RatesError, NoForecast, UnfitMixture) as error:
        fail(str(error), USAGE)
    except (SampleFailed, StorageError, OSError) as error:
        fail(str(error), FAILED)
    if as_json:
        show(_with_forecast(data, forecast) if forecast else data)
        return
    print_plan(console, data)
    if mixture:
        print_mixture(console, data["mixture"])
    if forecast:
        print_forecast(console, forecast)


def _with_forecast(data: dict[str, Any], forecast: dict[str, Any]) -> dict[str, Any]:
    """Both as one: its steps are a list with figures, so how many of each are done stands beside it."""
    sources = [{**said, **found} for said, found in zip(data["sources"], forecast["sources"], strict=True)]
    return {**data, "done": data.get("steps", {}), **forecast, "sources": sources}


def _tokens(scale: str | None) -> int | None:
    from lauter.pipeline.quantity import quantity

    try:
        return None if scale is None else quantity(scale)
    except ValueError as error:
        fail(f"--scale: {error}", USAGE)


def stages(
    name: Annotated[str | None, typer.Argument(help="A stage, reader or `tokenizer`; default: list them all.")] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Say what a manifest may name, and every parameter with its default."""
    from lauter.pipeline.manual import manual, print_manual
    from lauter.stages.catalogue import CATALOGUE

    entries = manual(CATALOGUE)
    if name is not None:
        entries = [entry for entry in entries if entry["name"] == name]
        if not entries:
            fail(f"no stage, reader or encoder is named {name!r}; `lauter stages` lists them", USAGE)
    if as_json:
        show(entries)
    else:
        print_manual(Console(emoji=False), entries, whole=name is not None)
