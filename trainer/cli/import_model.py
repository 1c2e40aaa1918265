"""`lauter import`: a model from elsewhere as a checkpoint to train on, token data as a corpus to train with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from lauter.pipeline.cli.console import FAILED, USAGE, JsonOption, fail, show
from lauter.trainer.cli.needing import needs_torch

if TYPE_CHECKING:
    from lauter.trainer.huggingface.imported import Imported

app = typer.Typer(no_args_is_help=True, help="Read a model into a checkpoint, or token data into a corpus.")

OutOption = Annotated[str, typer.Option(metavar="DIR", help="A new folder, or an empty one.")]


@app.callback()
def import_model() -> None:
    """Read a model into a checkpoint that `lauter train --from` continues, or token data into a corpus."""


@app.command()
def hf(
    path: Annotated[str, typer.Argument(metavar="PATH", help="A folder with config.json and safetensors.")],
    out: OutOption,
) -> None:
    """Read a Hugging Face folder of an Apertus model."""
    _run(path, out, _import_hf, as_json=False)


@app.command()
def megatron(
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            help="Token data: the path of PREFIX.bin and PREFIX.idx without end. A model: a folder of the swiss-ai "
            "Megatron-LM fork, or its iter_ folder.",
        ),
    ],
    out: OutOption,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Of token data: tokenizer.json and sidecar.json that made it. Of a model: a Hugging Face folder with "
            "tokenizer.json, to take along.",
        ),
    ] = None,
    stream: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of token data: what a training config calls it. Default: main.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(metavar="LABEL", help="Of token data: of all its documents, as deu_Latn.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Read token data into a corpus, or a checkpoint of the swiss-ai Megatron-LM fork; PATH tells which.

    Of token data, documents without a token are left out and counted: a shard has none. `lauter export megatron` writes
    the corpus again with ids of 16 bits up to a vocabulary of 65,536, and as int32 above it, whatever the files had
    that were read.
    """
    from lauter.trainer.indexed.importing import datasets_at

    prefixes = datasets_at(Path(path))
    if prefixes:
        _import_tokens(prefixes, out, tokenizer, stream or "main", language, as_json=as_json)
        return
    if stream is not None or language is not None:
        fail(f"{path}: no PREFIX.idx is there, and --stream and --language are for token data", USAGE)

    def read(source: Path, target: Path) -> Imported:
        from lauter.trainer.huggingface.megatron_import import import_megatron

        return import_megatron(source, target, tokenizer=None if tokenizer is None else Path(tokenizer))

    _run(path, out, read, as_json=as_json)


def _import_tokens(
    prefixes: list[Path], out: str, tokenizer: str | None, stream: str, language: str | None, *, as_json: bool
) -> None:
    from lauter.pipeline.storage import StorageError
    from lauter.trainer.indexed.errors import TokenDataError
    from lauter.trainer.indexed.importing import import_tokens

    if tokenizer is None:
        fail(
            f"{prefixes[0]}: token data does not say whose ids it has; name --tokenizer FOLDER, as tokens/tokenizer of "
            "a corpus, or what `lauter tokenizer` wrote",
            USAGE,
        )
    try:
        found = import_tokens(prefixes, Path(out), Path(tokenizer), stream=stream, language=language)
    except TokenDataError as error:
        fail(str(error), USAGE)
    except (OSError, StorageError) as error:
        fail(str(error), FAILED)
    if as_json:
        show({"out": out, **asdict(found)})
        return
    console = Console(emoji=False)
    told = (
        (found.without_bos, "documents that do not begin with the tokenizer's BOS"),
        (found.without_eos, "documents that do not end with its EOS"),
    )
    for count, what in told:
        if count:
            console.print(f"note: {what}: {count:,}", soft_wrap=True, highlight=False)
    shards = f"{found.shards:,} shard{'s' if found.shards > 1 else ''}"
    empty = f", {found.empty:,} without a token left out" if found.empty else ""
    console.print(
        f"{escape(out)}: {found.documents:,} documents{empty}, {found.tokens:,} tokens, {shards}: a corpus without a "
        f"ledger; `lauter train CONFIG --data {escape(out)}` trains on it",
        soft_wrap=True,
        highlight=False,
    )


def _import_hf(source: Path, target: Path) -> Imported:
    from lauter.trainer.huggingface.importing import import_hf

    return import_hf(source, target)


def _run(path: str, out: str, read: Callable[[Path, Path], Imported], *, as_json: bool) -> None:
    from lauter.trainer.checkpoint.error import CheckpointError
    from lauter.trainer.huggingface.imported import ModelImportError

    try:
        with needs_torch():
            imported = read(Path(path), Path(out))
    except (ModelImportError, CheckpointError) as error:
        fail(str(error), USAGE)
    except OSError as error:
        fail(f"{error.filename or path}: {error.strerror or error}", FAILED)
    if as_json:
        shape = imported.shape
        show({"out": out, "parameters": shape.parameters, "layers": shape.layers, "notes": list(imported.notes)})
        return
    console = Console(emoji=False)
    for note in imported.notes:
        console.print(f"note: {escape(note)}", soft_wrap=True, highlight=False)
    console.print(
        f"{escape(out)}: {imported.shape.parameters:,} parameters, {imported.shape.layers} layers: a checkpoint "
        f"without optimizer state; `lauter train CONFIG --from {escape(out)}` trains on",
        soft_wrap=True,
        highlight=False,
    )
