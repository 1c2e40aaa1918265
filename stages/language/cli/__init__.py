"""`lauter lang …`: the commands of the language room, one file each."""

from __future__ import annotations

import typer

from lauter.stages.language.cli.evaluate import evaluate
from lauter.stages.language.cli.gather import gather
from lauter.stages.language.cli.identify import identify
from lauter.stages.language.cli.list_labels import list_labels
from lauter.stages.language.cli.train import train
from lauter.stages.thresholds.command import import_fineweb2, thresholds

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Languages: what is known, and what a text is in.")
app.command("list")(list_labels)
app.command()(identify)
app.command()(evaluate)
app.command()(gather)
app.command()(train)
app.command()(thresholds)
app.command()(import_fineweb2)


@app.callback()
def lang() -> None:
    """Languages: what is known, and what a text is in."""
