"""What commands that train share: reading texts and recipes, where a model goes, a table of what it does on others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.table import Table

from lauter.pipeline.cli.console import USAGE, fail, table_console

if TYPE_CHECKING:
    from lauter.stages.labelled_texts import Labelled

FILES = "a .jsonl, .parquet or .txt (perhaps compressed) with `text` and perhaps `language`, or a folder of them"
Recipe = TypeVar("Recipe")
EMBEDDED = "models/embedded/recipe.yaml"
"""The recipe of a room's embedded model, below the room's folder."""

ModelFolderOption = Annotated[Path, typer.Option(metavar="DIR", help="Where the model goes; must not exist yet.")]
RecipeOption = Annotated[
    Path | None,
    typer.Option(metavar="YAML", help=f"Every number that decides; the embedded model's ({EMBEDDED}) if not given."),
]
LanguageOption = Annotated[
    str | None, typer.Option(metavar="LABEL", help="The language (deu_Latn) of texts that name none.")
]
MostOption = Annotated[
    int, typer.Option("--most", min=10, help="Texts of each class and language that are taken, by their hashes.")
]


def read_texts(positives: str, negatives: str, language: str | None, most: int, most_characters: int) -> Labelled:
    """The texts (`labelled_texts.read`); leaves with a usage error where they can't be had."""
    from lauter.stages.labelled_texts import read

    try:
        return read([positives], [negatives], language, most, most_characters)
    except OSError as error:
        fail(f"{error.filename} can't be read: {error.strerror or error}", USAGE)
    except ValueError as error:
        fail(str(error), USAGE)


def read_recipe(path: Path | None, room: str, read: Callable[[Path], Recipe]) -> tuple[bytes, Recipe]:
    """The recipe of a file, or that of a room's embedded model, and its bytes; leaves with a usage error if it's none.

    `room`: the package, as `lauter.stages.language`. `read` raises ValueError for what is no recipe.
    """
    try:
        if path is not None:
            return path.read_bytes(), read(path)
        with resources.as_file(resources.files(room).joinpath(EMBEDDED)) as embedded:
            return embedded.read_bytes(), read(embedded)
    except ValueError as error:
        fail(str(error), USAGE)
    except OSError as error:
        fail(f"{error.filename} can't be read: {error.strerror}", USAGE)


@contextmanager
def staged_folder(out: Path) -> Iterator[Path]:
    """An empty folder that becomes `out` at the end, and nothing where an error is raised."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as staging:
        made = Path(staging, out.name)
        made.mkdir()
        yield made
        made.rename(out)


def print_measures(what: Sequence[str], rows: Sequence[tuple[Sequence[str], Mapping[str, Any]]]) -> None:
    """A table of `classifier.measures.figures`.

    Args:
        what: Headers of what is measured.
        rows: What was measured, a word for each header, and its figures.
    """
    table = Table(*what, "texts", "positives", "AUC", "F1", "at", "ECE")
    for names, found in rows:
        numbers = [f"{found[key]:.4f}" for key in ("AUC", "F1", "threshold", "ECE")]
        table.add_row(*names, f"{found['texts']:,}", f"{found['positives']:,}", *numbers)
    table_console().print(table)
