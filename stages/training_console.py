"""What commands that train on labelled texts share: reading the texts, and a table of what a model does on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from lauter.pipeline.cli.console import USAGE, fail, table_console

if TYPE_CHECKING:
    from lauter.stages.labelled_texts import Labelled

FILES = "a .jsonl, .parquet or .txt (perhaps compressed) with `text` and perhaps `language`, or a folder of them"
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
