"""`lauter embedding show`: what a head says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lauter.pipeline.cli.console import USAGE, fail, show


def show_head(head: Annotated[Path, typer.Argument(metavar="HEAD", help="A head's file.")]) -> None:
    """Print a head's card as JSON: languages, encoder, calibration, data, and its scores on held-out texts."""
    from lauter.stages.embedding.head import load

    try:
        show(load(str(head)).facts())
    except OSError as error:
        fail(f"{head} can't be read: {error.strerror or error}", USAGE)
    except ValueError as error:
        fail(str(error), USAGE)
