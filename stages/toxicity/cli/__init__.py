"""`lauter toxicity …`: the commands of the toxicity room, one file each."""

from __future__ import annotations

import typer

from lauter.stages.toxicity.cli.ordinary import ordinary
from lauter.stages.toxicity.cli.train import train

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Toxicity: a model of your own.")
app.command()(train)
app.command()(ordinary)


@app.callback()
def toxicity() -> None:
    """Toxicity: a model of your own."""
