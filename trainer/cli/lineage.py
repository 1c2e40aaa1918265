"""`lauter lineage`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lauter.pipeline.cli.console import FAILED, USAGE, JsonOption, fail, show
from lauter.trainer.cli.needing import needs_torch

app = typer.Typer(add_completion=False)


@app.command()
def lineage(
    path: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A run folder, one of its checkpoints, or an exported model.")
    ],
    *,
    as_json: JsonOption = False,
) -> None:
    """Show what a model was made of, back to the roots of its corpora; exit code 1 where something is another now."""
    with needs_torch():
        from lauter.trainer.checkpoint.error import CheckpointError, NoCheckpoint
        from lauter.trainer.lineage.chain import lineage
    try:
        found = lineage(path)
    except NoCheckpoint as error:
        fail(str(error), USAGE)
    except (CheckpointError, ValueError) as error:
        fail(str(error), FAILED)
    if as_json:
        show(found.to_json())
    else:
        console = Console(emoji=False, soft_wrap=True, highlight=False)
        for depth, one in found.walk():
            console.print(f"{'  ' * depth}{one.kind} {one.name}  {one.digest[:16]}  {one.state}  {one.said}".rstrip())
    differing = [one for _, one in found.walk() if one.state == "differs"]
    if differing:
        first = differing[0]
        fail(f"{first.where}: this {first.kind} is not the one that the model was made of ({first.digest})", FAILED)
