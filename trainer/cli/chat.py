"""`lauter chat`."""

from __future__ import annotations

import datetime
import io
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.text import Text

from lauter.pipeline.cli.console import FAILED, USAGE, fail
from lauter.trainer.cli.needing import needs_torch
from lauter.trainer.generate.harmless import HARMLESS

app = typer.Typer(add_completion=False)


@app.command()
def chat(
    checkpoint: Annotated[
        str,
        typer.Argument(metavar="CHECKPOINT", help="A run folder, one of its checkpoints, or a Hugging Face folder."),
    ],
    system: Annotated[str | None, typer.Option(metavar="TEXT", help="System text in place of the default one.")] = None,
    new_tokens: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many tokens an answer.")] = 512,
    temperature: Annotated[float, typer.Option(min=0, help="0 takes the likeliest token; 1 the model's own odds.")] = 0,
    top_p: Annotated[
        float, typer.Option(help="Draw only from the likeliest tokens that have this probability together.")
    ] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn.")] = 28,
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="LIST", help="An output-filter.json of a takedown; repeatable."),
    ] = None,
    date: Annotated[
        datetime.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The day that the default system text tells. Default: today."),
    ] = None,
    dtype: Annotated[
        Literal["fp32", "bf16"], typer.Option(help="Of weights and activations; bf16 takes half the memory.")
    ] = "fp32",
) -> None:
    """Talk with a model, line by line: in a terminal, or through a pipe. /help tells what else a line may be."""
    with needs_torch():
        import torch

        from lauter.trainer.checkpoint.error import CheckpointError, NoCheckpoint
        from lauter.trainer.generate.stream import Wish
        from lauter.trainer.huggingface.imported import ModelImportError
        from lauter.trainer.serve.filters import filter_maker
        from lauter.trainer.serve.load import open_talker
        from lauter.trainer.serve.terminal import Talk, talk
    if not 0 < top_p <= 1:
        fail(f"--top-p {top_p}: a probability above 0, at most 1", USAGE)
    aside = Console(emoji=False, highlight=False)

    def write(text: str) -> None:
        sys.stdout.write(text.translate(HARMLESS))
        sys.stdout.flush()

    def write_aside(text: str) -> None:
        aside.print(Text(text.translate(HARMLESS), "dim"), end="", soft_wrap=True)

    try:
        new_filter = filter_maker(filters or ())
        device = "cuda" if torch.cuda.is_available() else "cpu"
        found = open_talker(checkpoint, torch.bfloat16 if dtype == "bf16" else torch.float32, device)
    except (NoCheckpoint, ModelImportError, ValueError) as error:
        fail(str(error), USAGE)
    except CheckpointError as error:
        fail(str(error), FAILED)
    wish = Wish(new_tokens, temperature, top_p, seed)
    today = datetime.date.today() if date is None else date.date()
    talk(_lines(), Talk(found.model, found.tokenizer, wish, write, write_aside, new_filter, today, system))


def _lines() -> Iterator[str]:
    if isinstance(sys.stdin, io.TextIOWrapper):
        # A line that is no UTF-8 is told as such, and the next one read.
        sys.stdin.reconfigure(errors="surrogateescape")
    if sys.stdin.isatty():
        # For its editing of lines, where the system has it.
        with suppress(ModuleNotFoundError):
            import readline  # noqa: F401
    while True:
        try:
            yield input("> ") if sys.stdin.isatty() else _read()
        except EOFError:
            return
        except KeyboardInterrupt:
            sys.stdout.write("\n")
            return


def _read() -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line
