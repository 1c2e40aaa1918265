"""`lauter audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from lauter.pipeline.cli.console import USAGE, VIOLATION, FolderArgument, JsonOption, fail, hex_root, show
from lauter.pipeline.cli.prove import write_proof
from lauter.pipeline.storage import Storage, StorageError


def audit(
    folder: FolderArgument,
    root: Annotated[
        str | None, typer.Option(metavar="HEX", help="The root that the corpus must have, from who published it.")
    ] = None,
    robots: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SNAPSHOT",
            help="Derive every keep again from this snapshot, for example a newer one; repeatable. It takes the place "
            "of the build's.",
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Derive every keep again under this policy, by name or YAML file. It takes the place of all of the "
            "manifest's choices: policy, single fields, agents and lists of hosts.",
        ),
    ] = None,
    prove: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Only write a proof that this URL (or doc_id) is in the ledger, or that it is not, and beside it the "
            "script that checks it.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the proof goes; proof.json in this folder if not given.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that may be used; default: the cores of the machine.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Prove from the files alone that nothing was lost and nothing was touched; exit 3 on a violation."""
    root = hex_root(root)
    if prove is not None:
        if robots or policy:
            fail("--prove writes one proof and audits nothing; leave out --robots and --policy", USAGE)
        write_proof(folder, prove, root, out, as_json=as_json)
        return
    if out is not None:
        fail("--out is for the proof that --prove writes; an audit prints its findings (--json for JSON)", USAGE)
    from lauter.pipeline.audit import audit as run_audit
    from lauter.pipeline.audit.findings import counted
    from lauter.stages.catalogue import CATALOGUE

    options = {"snapshot": [str(Path(path).absolute()) for path in robots] if robots else None, "policy": policy}
    try:
        found = run_audit(Storage(folder), CATALOGUE, root, options, workers)
    except StorageError as error:
        fail(str(error), USAGE)
    if as_json:
        show(found.to_json())
    else:
        console = Console(emoji=False)
        for name, count in found.counts.items():
            console.print(f"{name:<12}{count:>12,}", highlight=False)
        counts = f"{counted(found.files, 'file')} digested, {counted(found.recounted, 'input')} counted again"
        console.print(counts, highlight=False)
        for name, count in found.derived.items():
            told = f"{counted(count, 'kept record')} derived again ({name}): {found.covered[name]}"
            console.print(escape(told), soft_wrap=True, highlight=False)
        console.print(f"root {found.root}", soft_wrap=True, highlight=False)
        for note in found.notes:
            console.print(f"note: {escape(note)}", soft_wrap=True, highlight=False)
        for violation in found.violations:
            console.print(f"[bold red]violation:[/] {escape(violation)}", soft_wrap=True, highlight=False)
        for hint in found.hints:
            console.print(f"hint: {escape(hint)}", soft_wrap=True, highlight=False)
        if found.outcome is not None:
            style = "yellow" if found.not_derived else "green"
            console.print(f"[bold {style}]{escape(found.outcome)}[/]", soft_wrap=True)
    if found.violations:
        raise typer.Exit(VIOLATION)
