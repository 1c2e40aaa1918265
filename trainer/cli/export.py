"""`lauter export`: a checkpoint as a folder that transformers loads, tokens as files that other trainers read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

from lauter.pipeline.cli.console import FAILED, USAGE, FolderArgument, JsonOption, fail, show
from lauter.trainer.cli.needing import needs_torch

app = typer.Typer(no_args_is_help=True, help="Write a checkpoint, or a corpus's tokens, in another form.")


@app.callback()
def export() -> None:
    """Write a checkpoint, or a corpus's tokens, in another form."""


@app.command()
def hf(
    checkpoint: Annotated[str, typer.Argument(metavar="CHECKPOINT", help="A run folder, or one of its checkpoints.")],
    out: Annotated[str, typer.Option(metavar="DIR", help="A new folder, or an empty one.")],
    dtype: Annotated[Literal["bf16", "fp32"], typer.Option(help="Of the weights.")] = "bf16",
    shard_size: Annotated[str, typer.Option(metavar="SIZE", help="Largest file of weights, as 5GB or 500MB.")] = "5GB",
) -> None:
    """Write a Hugging Face folder: weights, config, tokenizer and a model card that names the data's roots."""
    with needs_torch():
        from lauter.trainer.checkpoint.error import CheckpointError, NoCheckpoint
        from lauter.trainer.checkpoint.read import open_checkpoint
        from lauter.trainer.huggingface.export import ExportError, NoRoom, export_hf
        from lauter.trainer.huggingface.shards import parse_size
        from lauter.trainer.huggingface.write_fault import write_fault
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


@app.command()
def megatron(
    folder: FolderArgument,
    out: Annotated[str, typer.Option(metavar="PREFIX", help="Path of the files without their ends, on a local disk.")],
    stream: Annotated[str | None, typer.Option(metavar="NAME", help="The only stream to write. Default: all.")] = None,
    form: Annotated[
        Literal["megatron", "nanotron"],
        typer.Option("--format", help="PREFIX.bin and .idx; or a flat PREFIX.ds with .index and .metadata."),
    ] = "megatron",
    *,
    per_shard: Annotated[
        bool, typer.Option("--per-shard", help="A dataset for each shard, not for each stream.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a corpus's tokens for Megatron-LM or nanotron; PREFIX.json says what they are made of."""
    from lauter.trainer.config.sections import CorpusSection
    from lauter.trainer.data.errors import DataError, UnfitError
    from lauter.trainer.data.run_folder import open_run_folder
    from lauter.trainer.huggingface.write_fault import write_fault
    from lauter.trainer.indexed.errors import TokenDataError
    from lauter.trainer.indexed.export import export_tokens

    if "://" in out:
        fail(f"--out {out}: files are written to a local disk; copy them to where they belong afterwards", USAGE)
    try:
        corpus = open_run_folder(CorpusSection(path=folder))
        datasets = export_tokens(corpus, Path(out), form=form, stream=stream, per_shard=per_shard)
    except (UnfitError, TokenDataError) as error:
        fail(str(error), USAGE)
    except DataError as error:
        fail(str(error), FAILED)
    except OSError as error:
        fail(write_fault(error, out), FAILED)
    if as_json:
        show({"out": out, "datasets": {dataset.name: dataset.to_json() for dataset in datasets}})
        return
    console = Console(emoji=False)
    for dataset in datasets:
        removed = dataset.removed_documents
        left_out = f"; {removed:,} that were taken down are left out" if removed else ""
        console.print(
            f"{escape(str(Path(out).with_name(dataset.name)))}: {dataset.documents:,} documents, "
            f"{dataset.tokens:,} tokens{left_out}",
            soft_wrap=True,
            highlight=False,
        )
