"""What the commands share: a model by name or path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lauter.pipeline.cli.console import USAGE, fail

if TYPE_CHECKING:
    from lauter.stages.language.identify import Identifier
    from lauter.stages.language.labels.support import Support

MODEL_HELP = "A fastText model (.bin, .ftz), or one by name: embedded, lid.176, glotlid."

NormaliseOption = Annotated[
    bool | None,
    typer.Option(
        "--normalise/--as-it-is",
        help="Whether the model was trained on normalised text, as `lauter lang train` does; only the embedded one is"
        " taken to be.",
    ),
]
LabelsOption = Annotated[
    Path | None,
    typer.Option("--labels", metavar="TSV", help="The table of the model's labels; the embedded model has its own."),
]


def load_model(model: str, *, normalise: bool | None) -> Identifier:
    """The model, ready, with the word lists beside it; leaves with a usage error where it can't be had."""
    from lauter.stages.language.load import lists_beside, load

    try:
        return load(model, normalised=normalise, lists=lists_beside(model) if normalise else None)
    except OSError as error:
        fail(f"{error.filename or model} can't be read: {error.strerror or error}", USAGE)
    except ValueError as error:
        fail(str(error), USAGE)


def load_support(model: str, table: Path | None) -> Mapping[str, Support]:
    """What is known of the labels of a model: its table, or none."""
    from lauter.stages.language.labels import support
    from lauter.stages.language.load import EMBEDDED

    if table is None and model != EMBEDDED:
        return {}
    try:
        return support.embedded() if table is None else support.read(table)
    except OSError as error:
        fail(f"{table or 'the table of the embedded model'} can't be read: {error.strerror}", USAGE)
    except ValueError as error:
        fail(str(error), USAGE)
