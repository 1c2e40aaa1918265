"""`lauter import`: a model from elsewhere as a checkpoint that `lauter train --from` continues."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from lauter.pipeline.cli.console import FAILED, USAGE, fail

if TYPE_CHECKING:
    from lauter.trainer.huggingface.imported import Imported

app = typer.Typer(no_args_is_help=True, help="Read a model from elsewhere into a checkpoint.")

OutOption = Annotated[str, typer.Option(metavar="DIR", help="A new folder, or an empty one.")]


@app.callback()
def import_model() -> None:
    """Read a model from elsewhere into a checkpoint that `lauter train --from` continues."""


@app.command()
def hf(
    path: Annotated[str, typer.Argument(metavar="PATH", help="A folder with config.json and safetensors.")],
    out: OutOption,
) -> None:
    """Read a Hugging Face folder of an Apertus model."""
    _run(path, out, _import_hf)


@app.command()
def megatron(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="A folder of the swiss-ai Megatron-LM fork, or its iter_ folder.")
    ],
    out: OutOption,
    tokenizer: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="A Hugging Face folder with tokenizer.json, to take along.")
    ] = None,
) -> None:
    """Read a checkpoint of the swiss-ai Megatron-LM fork: torch_dist, or one rank's model_optim_rng.pt."""

    def read(source: Path, target: Path) -> Imported:
        from lauter.trainer.huggingface.megatron_import import import_megatron

        return import_megatron(source, target, tokenizer=None if tokenizer is None else Path(tokenizer))

    _run(path, out, read)


def _import_hf(source: Path, target: Path) -> Imported:
    from lauter.trainer.huggingface.importing import import_hf

    return import_hf(source, target)


def _run(path: str, out: str, read: Callable[[Path, Path], Imported]) -> None:
    from lauter.trainer.checkpoint.error import CheckpointError
    from lauter.trainer.huggingface.imported import ModelImportError

    try:
        imported = read(Path(path), Path(out))
    except ModuleNotFoundError as error:
        fail(f"{error.name} is missing: the trainer needs torch: pip install 'lauter[train]'", FAILED)
    except (ModelImportError, CheckpointError) as error:
        fail(str(error), USAGE)
    except OSError as error:
        fail(f"{error.filename or path}: {error.strerror or error}", FAILED)
    console = Console(emoji=False)
    for note in imported.notes:
        console.print(f"note: {escape(note)}", soft_wrap=True, highlight=False)
    console.print(
        f"{escape(out)}: {imported.shape.parameters:,} parameters, {imported.shape.layers} layers: a checkpoint "
        f"without optimizer state; `lauter train CONFIG --from {escape(out)}` trains on",
        soft_wrap=True,
        highlight=False,
    )
