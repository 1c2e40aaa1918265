"""`lauter probe`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from lauter.pipeline.cli.console import FAILED, USAGE, JsonOption, fail, show
from lauter.trainer.cli.needing import needs_torch

app = typer.Typer(add_completion=False)


def _lengths(text: str) -> list[int]:
    """Whole numbers between commas."""
    parts = [part.strip().replace("_", "") for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise typer.BadParameter(f"expected lengths in tokens, such as 512,4096, not {text!r}")
    return [int(part) for part in parts]


@app.command()
def probe(
    checkpoint: Annotated[
        str, typer.Argument(metavar="CHECKPOINT", help="A run folder of `lauter train`, or one of its checkpoints.")
    ],
    lengths: Annotated[
        str,
        typer.Option(metavar="N,…", help="In tokens; longer ones than the model was trained for may be among them."),
    ],
    tasks: Annotated[
        str, typer.Option(metavar="NAME,…", help="Default: all six.")
    ] = "single,multi-key,multi-value,multi-query,variable-tracking,common-words",
    count: Annotated[int, typer.Option(min=1, metavar="N", help="Probes for each task, length and depth.")] = 4,
    filler: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Text that the facts stand in. Default: a few sentences over and over."),
    ] = None,
    words: Annotated[
        int, typer.Option(min=4, max=64, metavar="N", help="Keys and values that are asked for; small models know few.")
    ] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 28,
    dtype: Annotated[
        Literal["fp32", "bf16"], typer.Option(help="Of weights and activations; bf16 takes half the memory.")
    ] = "fp32",
    *,
    as_json: JsonOption = False,
) -> None:
    """Ask a model for facts that stand far back in its context."""
    asked, sizes = [name.strip() for name in tasks.split(",")], _lengths(lengths)
    with needs_torch():
        import torch

        from lauter.trainer.checkpoint.error import CheckpointError, NoCheckpoint
        from lauter.trainer.checkpoint.read import open_checkpoint
        from lauter.trainer.generate.load import load_model, tokenizer_of
        from lauter.trainer.probes.probe import NOISE
        from lauter.trainer.probes.run import DEPTHS, probe
        from lauter.trainer.probes.score import to_json
        from lauter.trainer.probes.tasks import TASKS
    unknown = [name for name in asked if name not in TASKS]
    if unknown:
        fail(f"--tasks: no task is called {unknown[0]!r}; there are: {', '.join(TASKS)}", USAGE)
    try:
        text = NOISE if filler is None else filler.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"--filler {filler}: {error}", USAGE)
    if not text:
        fail(f"--filler {filler}: it holds no text", USAGE)
    try:
        opened = open_checkpoint(checkpoint)
        tokenizer = tokenizer_of(opened)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        model = load_model(opened, torch.bfloat16 if dtype == "bf16" else torch.float32, device)
        found = probe(model, tokenizer, tasks=asked, lengths=sizes, count=count, seed=seed, text=text, words=words)
    except (NoCheckpoint, ValueError) as error:
        fail(str(error), USAGE)
    except CheckpointError as error:
        fail(str(error), FAILED)
    if as_json:
        show(to_json(found))
        return
    table = Table("task", "length", *(f"{depth:.0%}" for depth in DEPTHS), "exact", "tokens", box=None)
    for task, by in to_json(found).items():
        for length, one in by.items():
            shares = [*one["depths"].values(), one["exact"], one["tokens"]]
            table.add_row(task, f"{int(length):,}", *(f"{share:.0%}" for share in shares))
    console = Console(emoji=False)
    console.print("Answers that are right, by the depth at which the fact stands, and in all:")
    console.print(table)
