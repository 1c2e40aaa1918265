"""The command line. Exit codes: 0 fine, 1 failed, 2 bad manifest or usage, 3 the audit found a violation."""

from __future__ import annotations

import json
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from lauter import __version__
from lauter.pipeline.storage import Storage, StorageError
from lauter.pipeline.yaml_lines import ManifestError

app = typer.Typer(
    help="Build, prove and inspect compliant pretraining corpora.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

FAILED, USAGE, VIOLATION, INTERRUPTED = 1, 2, 3, 130

ManifestArgument = Annotated[str, typer.Argument(metavar="MANIFEST", help="The YAML manifest.")]
FolderArgument = Annotated[str, typer.Argument(metavar="DIR", help="The run folder (local path or s3://).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON to standard output.")]


class ExecutorName(StrEnum):
    """Where tasks run."""

    inline = "inline"
    ray = "ray"


def fail(message: str, code: int) -> NoReturn:
    """Say what went wrong on standard error and leave with a code."""
    Console(stderr=True, emoji=False).print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True, highlight=False)
    raise typer.Exit(code)


def show(data: object) -> None:
    """Print JSON to standard output."""
    sys.stdout.write(json.dumps(data, indent=1, ensure_ascii=False, default=str) + "\n")


def _version(value: bool) -> None:  # noqa: FBT001 - typer hands an option's value over so
    if value:
        sys.stdout.write(f"lauter {__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[  # noqa: FBT002 - an option's default
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Build, prove and inspect compliant pretraining corpora."""


@app.command()
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
    where = _root(out)
    try:
        checked = _manifest(manifest, where)
        chosen = executor.value if executor else default_executor(checked, workers, address)
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
    if as_json:
        show(outcome.corpus)
        return
    from lauter.pipeline.report.funnel import print_funnel

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
        console.print(f"done in {seconds:.1f} s: {tasks}", highlight=False)
    else:
        console.print(
            f"nothing to do: all {outcome.report.cached} tasks were done before ({seconds:.1f} s)", highlight=False
        )


def _root(out: str) -> str:
    try:
        return Storage(out).root
    except StorageError as error:
        fail(str(error), USAGE)


def _manifest(path: str, out: str | None) -> Any:  # noqa: ANN401 - a Manifest; its import is left to the commands that need it
    from lauter.pipeline.resolve import load
    from lauter.stages.catalogue import CATALOGUE

    return load(path, CATALOGUE, out)


@app.command()
def plan(
    manifest: ManifestArgument, out: Annotated[str | None, typer.Option("--out")] = None, *, as_json: JsonOption = False
) -> None:
    """Show what a build would run, and what of it is done; writes nothing."""
    from lauter.pipeline.build import describe_plan, print_plan

    where = None if out is None else _root(out)
    try:
        data = describe_plan(_manifest(manifest, where), where)
    except (ManifestError, StorageError, OSError) as error:
        fail(str(error), USAGE if isinstance(error, ManifestError) else FAILED)
    if as_json:
        show(data)
    else:
        print_plan(Console(emoji=False), data)


@app.command()
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


@app.command()
def status(folder: FolderArgument, *, as_json: JsonOption = False) -> None:
    """Show how far a run is."""
    from lauter.pipeline.status import SILENT_S
    from lauter.pipeline.status import status as read_status

    try:
        data = read_status(Storage(folder))
    except StorageError as error:
        fail(str(error), USAGE)
    if as_json:
        show(data)
        return
    console = Console(emoji=False)
    at_work = ", a build is at work" if data["building"] else ""
    console.print(f"{'finished' if data['finished'] else 'not finished'}{at_work}", style="bold")
    for step, counts in data["steps"].items():
        console.print(f"  {step:<10} {counts['done']:>6} of {counts['planned']}", highlight=False)
    console.print(f"{data['records']:,} records read, {data['documents']:,} documents", highlight=False)
    for running in data["running"]:
        age = f", last heard of {running['age_s']:,} s ago" if running["age_s"] > SILENT_S else ""
        console.print(f"  running {running['task']}: {running['records']:,} records{age}", highlight=False)
    for stopped in data["stopped"]:
        console.print(f"  cut off {stopped['task']}: last heard of {stopped['age_s']:,} s ago", highlight=False)


@app.command()
def report(folder: FolderArgument, *, as_json: JsonOption = False) -> None:
    """Write OUT/report again from the ledger's numbers and print the funnel."""
    from lauter.pipeline.corpus import CORPUS
    from lauter.pipeline.report.funnel import print_funnel
    from lauter.pipeline.report.page import report_data, write_report

    storage = Storage(folder)
    if storage.size(CORPUS) is None:
        fail(f"{storage.root} holds no finished corpus; run `lauter build` to its end", USAGE)
    corpus = storage.read_json(CORPUS)
    write_report(storage, corpus)
    if as_json:
        show(report_data(corpus))
        return
    print_funnel(Console(emoji=False), corpus)
    Console(emoji=False).print(f"{storage.root}/report/index.html", soft_wrap=True, highlight=False)


@app.command()
def explain(
    folder: FolderArgument,
    wanted: Annotated[str, typer.Argument(metavar="URL_OR_DOC_ID", help="A URL, or a doc_id in hex.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Show every decision on one page, with its evidence."""
    from lauter.pipeline.explain import explain as find
    from lauter.pipeline.explain import lines

    try:
        rows = find(Storage(folder), wanted)
    except StorageError as error:
        fail(str(error), USAGE)
    if as_json:
        show(rows)
    if not rows:
        fail(f"{wanted} is not in the ledger: no input record had this URL or doc_id", FAILED)
    if not as_json:
        console = Console(emoji=False)
        for row in rows:
            console.print(f"[bold]{escape(row['verdict'])}[/]  {escape(str(row['url']))}", soft_wrap=True)
            for name, value in lines(row):
                console.print(f"  {escape(name):<13} {escape(value)}", soft_wrap=True, highlight=False)


@app.command()
def audit(
    folder: FolderArgument,
    root: Annotated[
        str | None, typer.Option(metavar="HEX", help="The SHA-256 that corpus.json must have, from who published it.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Prove from the files alone that nothing was lost and nothing was touched; exit 3 on a violation."""
    from lauter.pipeline.audit import audit as run_audit
    from lauter.stages.catalogue import CATALOGUE

    try:
        found = run_audit(Storage(folder), CATALOGUE, root)
    except StorageError as error:
        fail(str(error), USAGE)
    if as_json:
        show(found.to_json())
    else:
        console = Console(emoji=False)
        for name, count in found.counts.items():
            console.print(f"{name:<12}{count:>12,}", highlight=False)
        console.print(f"{found.files:,} files digested, {found.recounted:,} inputs counted again", highlight=False)
        console.print(f"root {found.root}", soft_wrap=True, highlight=False)
        for note in found.notes:
            console.print(f"note: {escape(note)}", soft_wrap=True, highlight=False)
        for violation in found.violations:
            console.print(f"[bold red]violation:[/] {escape(violation)}", soft_wrap=True, highlight=False)
        if found.hint:
            console.print(f"hint: {escape(found.hint)}", soft_wrap=True, highlight=False)
        else:
            console.print("[bold green]the audit holds[/]")
    if found.violations:
        raise typer.Exit(VIOLATION)


def main() -> None:
    """Entry point of the console script."""
    # A manifest is usually named relative to where the user stands; so is a user's own stage.
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    app()
