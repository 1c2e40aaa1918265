"""`lauter tokenizer`: a vocabulary of a corpus's own text, or the one of Apertus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lauter.pipeline.cli.console import FAILED, USAGE, FolderArgument, JsonOption, fail, refuse_existing, show
from lauter.pipeline.storage import StorageError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Make a tokenizer: of a corpus's own text, or that of Apertus."
)

NewFolder = Annotated[Path, typer.Option(metavar="DIR", help="Where its files go; must not exist yet.")]


@app.callback()
def tokenizer() -> None:
    """Make a tokenizer: of a corpus's own text, or that of Apertus."""


@app.command()
def train(
    folder: FolderArgument,
    out: NewFolder,
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

    refuse_existing(out, "what a corpus was built with", "folder")
    try:
        trained = train_tokenizer(folder, vocabulary, min_frequency=min_frequency, sample=sample, seed=seed)
        write_tokenizer(trained.files, out)
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


@app.command()
def build_apertus(
    out: NewFolder,
    tekken: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A tekken file of mistral-common, in place of the embedded vocabulary."),
    ] = None,
    *,
    huggingface: Annotated[
        bool, typer.Option("--huggingface", help="Write the form that transformers loads, not a corpus's.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the tokenizer of Apertus: tekken's vocabulary with Apertus's control tokens at their ids."""
    from lauter.stages.tokens.apertus import build, build_huggingface
    from lauter.stages.tokens.definition import tokenizer_digest
    from lauter.stages.tokens.training import write_tokenizer

    refuse_existing(out, "what a corpus was built with", "folder")
    try:
        source = None if tekken is None else tekken.read_bytes()
        files = build_huggingface(source) if huggingface else build(source)
    except OSError as error:
        fail(f"{tekken} can't be read: {error.strerror}; name the tekken file of an installed mistral-common", USAGE)
    except (ValueError, KeyError, TypeError) as error:
        fail(f"{tekken}: no tekken file that Apertus can be made of: {error}", USAGE)
    try:
        write_tokenizer(files, out)
    except OSError as error:
        fail(f"{out} can't be written: {error}", FAILED)
    digest = tokenizer_digest(files)
    if as_json:
        show({"out": str(out), "files": sorted(files), "digest": digest})
        return
    console = Console(emoji=False)
    console.print(f"digest {digest}", soft_wrap=True, highlight=False)
    console.print(", ".join(f"{out}/{name}" for name in sorted(files)), soft_wrap=True, highlight=False)
