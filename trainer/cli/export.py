"""`lauter export hf`: a checkpoint as a folder that transformers loads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

from lauter.pipeline.cli.console import FAILED, USAGE, fail

app = typer.Typer(no_args_is_help=True, help="Write a checkpoint in another form.")


@app.callback()
def export() -> None:
    """Write a checkpoint in another form."""


@app.command()
def hf(
    checkpoint: Annotated[str, typer.Argument(metavar="CHECKPOINT", help="A run folder, or one of its checkpoints.")],
    out: Annotated[str, typer.Option(metavar="DIR", help="A new folder, or an empty one.")],
    dtype: Annotated[Literal["bf16", "fp32"], typer.Option(help="Of the weights.")] = "bf16",
    shard_size: Annotated[str, typer.Option(metavar="SIZE", help="Largest file of weights, as 5GB or 500MB.")] = "5GB",
) -> None:
    """Write a Hugging Face folder: weights, config, tokenizer and a model card that names the data's roots."""
    try:
        from lauter.trainer.checkpoint.error import CheckpointError, NoCheckpoint
        from lauter.trainer.checkpoint.read import open_checkpoint
        from lauter.trainer.huggingface.export import ExportError, NoRoom, export_hf
        from lauter.trainer.huggingface.shards import parse_size
        from lauter.trainer.huggingface.write_fault import write_fault
    except ModuleNotFoundError as error:
        fail(f"{error.name} is missing: the trainer needs torch: pip install 'lauter[train]'", FAILED)
    try:
        largest = parse_size(shard_size)
    except ValueError as error:
        fail(f"--shard-size: {error}", USAGE)
    try:
        written = export_hf(open_checkpoint(checkpoint), Path(out), dtype=dtype, shard_size=largest)
    except (NoCheckpoint, ExportError) as error:
        fail(str(error), FAILED if isinstance(error, NoRoom) else USAGE)
    except CheckpointError as error:
        fail(str(error), FAILED)
    except OSError as error:
        fail(write_fault(error, out), FAILED)
    Console(emoji=False).print(
        f"{escape(out)}: {written.tensors:,} tensors, {written.bytes:,} bytes in {written.files:,} "
        f"file{'s' if written.files > 1 else ''}, {dtype}",
        soft_wrap=True,
        highlight=False,
    )
