"""`lauter extract …`: the commands of the extraction room."""

from __future__ import annotations

import typer

from lauter.stages.extract.cli.train import train

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Extraction: the learned rule of `cascade`.")
app.command()(train)


@app.callback()
def extract() -> None:
    """Extraction: the learned rule of `cascade`."""
