"""`lauter tokenizer train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lauter.pipeline.cli.console import FAILED, USAGE, FolderArgument, JsonOption, fail, show
from lauter.pipeline.storage import StorageError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Make a tokenizer of a corpus's own text.")


@app.callback()
def tokenizer() -> None:
    """Make a tokenizer of a corpus's own text."""


@app.command()
def train(
    folder: FolderArgument,
    out: Annotated[Path, typer.Option(help="Where tokenizer.json and sidecar.json go; must not exist yet.")],
    vocabulary: Annotated[
        int, typer.Option(metavar="N", help="Ids in all: control tokens, the 256 bytes, and what is merged of them.")
    ],
    min_frequency: Annotated[
        int, typer.Option(min=1, metavar="N", help="A pair of pieces is merged if it is found at least so often.")
    ] = 2,
    sample: Annotated[
        float, typer.Option(metavar="SHARE", help="Share of the documents that is read, for a corpus beyond memory.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Decides which documents that share is.")] = 0,
    *,
    as_json: JsonOption = False,
) -> None:
    """Train a byte-level BPE on the kept documents of a finished run; dropped ones are never read."""
    from lauter.stages.tokens.training import train_tokenizer, write_tokenizer

    if out.exists():
        fail(f"{out} is there already: what a corpus was built with is never overwritten; name a new folder", USAGE)
    try:
        trained = train_tokenizer(folder, vocabulary, min_frequency=min_frequency, sample=sample, seed=seed)
        write_tokenizer(trained, out)
    except (ValueError, StorageError) as error:
        fail(str(error), USAGE)
    except OSError as error:
        fail(f"{out} can't be written: {error}", FAILED)
    if as_json:
        counts = {"ids": trained.ids, "documents": trained.documents, "characters": trained.characters}
        show({"out": str(out), **counts, "digest": trained.digest})
        return
    console = Console(emoji=False)
    console.print(
        f"{trained.ids:,} ids from {trained.documents:,} documents of {trained.characters:,} characters",
        highlight=False,
    )
    console.print(f"digest {trained.digest}", soft_wrap=True, highlight=False)
    console.print(f"{out}/tokenizer.json, {out}/sidecar.json", soft_wrap=True, highlight=False)
