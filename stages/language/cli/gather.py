"""`lauter lang gather`: the training data of the embedded model, from the public collections it is had from."""

from __future__ import annotations

from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from lauter.pipeline.cli.console import FAILED, USAGE, fail, refuse_existing

EMBEDDED = "models/embedded/inputs.tsv"
"""The table of inputs of the embedded model, below the folder of the stage."""


def gather(
    collection: Annotated[
        list[str],
        typer.Option(
            metavar="SOURCE=DIR",
            help="A collection's folder, for every source of the table; `lines=DIR` for more LABEL.txt of your own.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the data goes; must not exist yet.")],
    inputs: Annotated[
        Path | None, typer.Option(metavar="TSV", help="Table of inputs; the embedded model's if not given.")
    ] = None,
    subtract: Annotated[
        list[Path], typer.Option(metavar="TSV", help="A test set whose words are taken off the counts of its label.")
    ] = [],  # noqa: B006 - typer copies it
    leave_out: Annotated[
        list[Path], typer.Option(metavar="TSV", help="A test set whose words are left out of the lists of its label.")
    ] = [],  # noqa: B006
    keep_out: Annotated[
        list[Path], typer.Option(metavar="TSV", help="A test set whose lines are left out everywhere.")
    ] = [],  # noqa: B006
    noise: Annotated[int, typer.Option(metavar="N", min=0, help="Lines of noise to make for zxx_Zzzz.")] = 3000,
) -> None:
    """Make training data from public collections by the table of inputs, without what is kept for tests.

    The table names each file and its licence. The same collections give the same bytes; `lauter lang train` reads
    them. A test set is lines of label, tab, text, plain or compressed.
    """
    from lauter.stages.language.evaluation.examples import read
    from lauter.stages.language.training import gather as room

    refuse_existing(out, "training data", "folder")
    collections = _collections(collection)
    out.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        table = inputs or stack.enter_context(
            resources.as_file(resources.files("lauter.stages.language").joinpath(EMBEDDED))
        )
        try:
            sources = {row.source for row in room.read_inputs(table)}
            if missing := sorted(sources - set(collections)):
                fail(f"{table} has sources without a folder: name --collection {missing[0]}=DIR", USAGE)
            declaration, words, lines = (
                [pair for path in paths for pair in read(path).pairs()] for paths in (subtract, leave_out, keep_out)
            )
            kept_out = room.read_kept_out(declaration, words, [text for _, text in lines])
            staging = Path(stack.enter_context(TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent)), out.name)
            room.gather(table, collections, kept_out, staging, noise)
            staging.rename(out)
        except ValueError as error:
            fail(str(error), USAGE)
        except OSError as error:
            fail(f"{error.filename or out}: {error.strerror or error}", FAILED)
        except ModuleNotFoundError as error:
            fail(f"the source wordfreq is read with {error.name}: pip install {error.name}", FAILED)
    typer.echo(f"{out}: {len(list(out.glob('*.txt')))} files of lines, {len(list(out.glob('*.words')))} of words")


def _collections(named: list[str]) -> dict[str, Path]:
    found = {}
    for each in named:
        source, equals, folder = each.partition("=")
        if not (source and equals and folder):
            fail(f"--collection {each}: want SOURCE=DIR", USAGE)
        if not Path(folder).is_dir():
            fail(f"--collection {each}: {folder} is no folder", USAGE)
        found[source] = Path(folder)
    return found
