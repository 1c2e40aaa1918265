"""`lauter optout …`: the commands of the opt-out room, one file each."""

from __future__ import annotations

import typer

from lauter.stages.optout.cli.check import check
from lauter.stages.optout.cli.compile import compile_index
from lauter.stages.optout.cli.fetch import fetch

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Compile, fetch and ask robots.txt and the other signals of owners.",
)
app.command("compile")(compile_index)
app.command()(check)
app.command()(fetch)


@app.callback()
def optout() -> None:
    """Compile, fetch and ask robots.txt and the other signals of owners."""
