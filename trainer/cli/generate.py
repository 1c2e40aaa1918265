"""`lauter generate`."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.text import Text

from lauter.pipeline.cli.console import FAILED, USAGE, JsonOption, fail, show
from lauter.trainer.cli.needing import needs_torch
from lauter.trainer.generate.harmless import HARMLESS

app = typer.Typer(add_completion=False)


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
        float, typer.Option(help="Draw only from the likeliest tokens that have this probability together.")
    ] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn; equal prompts still draw apart.")] = 28,
    stop: Annotated[list[str] | None, typer.Option(metavar="TEXT", help="End before this text; repeatable.")] = None,
    dtype: Annotated[
        Literal["fp32", "bf16"], typer.Option(help="Of weights and activations; bf16 takes half the memory.")
    ] = "fp32",
    *,
    as_json: JsonOption = False,
) -> None:
    """Continue texts with a model: greedy, or drawn from its distribution."""
    with needs_torch():
        import torch

        from lauter.trainer.checkpoint.error import CheckpointError, NoCheckpoint
        from lauter.trainer.checkpoint.read import open_checkpoint
        from lauter.trainer.generate.load import load_model, tokenizer_of
        from lauter.trainer.generate.stream import Wish, continue_texts
    if not 0 < top_p <= 1:
        fail(f"--top-p {top_p}: a probability above 0, at most 1", USAGE)
    wish = Wish(new_tokens, temperature, top_p, seed, tuple(stop or ()))
    console = Console(emoji=False, highlight=False)
    written = -1

    def write(number: int, text: str) -> None:
        nonlocal written
        if number > written:
            sys.stdout.write("\n\n" if number else "")
            sys.stdout.flush()
            console.print(Text(prompt[number].translate(HARMLESS), "bold"), end="", soft_wrap=True)
            written = number
        sys.stdout.write(text.translate(HARMLESS))
        sys.stdout.flush()

    try:
        opened = open_checkpoint(checkpoint)
        tokenizer = tokenizer_of(opened)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        model = load_model(opened, torch.bfloat16 if dtype == "bf16" else torch.float32, device)
        found = continue_texts(model, tokenizer, prompt, wish, _nowhere if as_json else write)
    except (NoCheckpoint, ValueError) as error:
        fail(str(error), USAGE)
    except CheckpointError as error:
        fail(str(error), FAILED)
    if as_json:
        show([one.to_json() for one in found])
    else:
        sys.stdout.write("\n")


def _nowhere(_number: int, _text: str) -> None:
    """With --json, all is shown at the end."""
