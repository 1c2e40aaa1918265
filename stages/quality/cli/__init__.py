"""`lauter quality …`: the commands of the quality room, one file each."""

from __future__ import annotations

import typer

from lauter.stages.quality.cli.train import train

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Learned quality.")
app.command()(train)


@app.callback()
def quality() -> None:
    """Learned quality."""
