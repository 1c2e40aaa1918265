"""`lauter embedding …`: the commands of the embedding room, one file each."""

from __future__ import annotations

import typer

from lauter.stages.embedding.cli.calibrate import calibrate
from lauter.stages.embedding.cli.show_head import show_head
from lauter.stages.embedding.cli.train import train

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Heads on an encoder: train, calibrate, look at.")
app.command()(train)
app.command()(calibrate)
app.command("show")(show_head)


@app.callback()
def embedding() -> None:
    """Heads on an encoder: train, calibrate, look at."""
