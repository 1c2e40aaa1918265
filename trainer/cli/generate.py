"""`lauter generate`."""

from __future__ import annotations

from typing import Annotated

import typer

from lauter.pipeline.cli.console import FAILED, JsonOption, fail

app = typer.Typer()


@app.command()
def generate(
    checkpoint: Annotated[
        str, typer.Argument(metavar="CHECKPOINT", help="A run folder of `lauter train`, or one of its checkpoints.")
    ],
    prompt: Annotated[
        list[str], typer.Option(metavar="TEXT", help="What is to be continued; repeatable, each for itself.")
    ],
    new_tokens: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many tokens a prompt.")] = 64,
    temperature: Annotated[float, typer.Option(min=0, help="0 takes the likeliest token; 1 the model's own odds.")] = 0,
    top_p: Annotated[
        float,
        typer.Option(min=0, max=1, help="Draw only from the likeliest tokens that have this probability together."),
    ] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws; the n-th prompt has its own.")] = 28,
    stop: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="End where this text begins; repeatable.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Continue texts with a model: greedy, or drawn from its distribution."""
    fail("generation is being written", FAILED)
