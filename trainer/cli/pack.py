"""`lauter pack`: counts the windows of a corpus once, so that no run has to."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from lauter.pipeline.cli.console import FAILED, USAGE, FolderArgument, fail
from lauter.pipeline.storage import Storage, StorageError

app = typer.Typer()


@app.command()
def pack(
    folder: FolderArgument,
    length: Annotated[
        list[int], typer.Option(min=2, metavar="TOKENS", help="The data.sequence_length of runs to come; repeatable.")
    ],
) -> None:
    """Store how many best-fit windows each row group makes: runs with data.packing best-fit then begin at once."""
    from lauter.trainer.config.sections import CorpusSection, DataSection
    from lauter.trainer.data.corpus import open_corpora
    from lauter.trainer.data.errors import DataError, UnfitError
    from lauter.trainer.data.stored_windows import store_windows, windows_path

    try:
        corpus = open_corpora(DataSection(corpora=(CorpusSection(path=folder),)))
        streams = {stream.stored_name: stream for stream in corpus.streams.values()}
        tokens = sum(stream.tokens for stream in streams.values())
        for size in length:
            windows = store_windows(Storage(folder), corpus.provenance[0]["lineage"], streams, size)
            filled = tokens / (windows * size) if windows else 1.0
            Console(emoji=False).print(
                f"{escape(folder)}/{windows_path(size)}: {windows:,} windows of {size:,}, {filled:.2%} filled",
                soft_wrap=True,
                highlight=False,
            )
    except UnfitError as error:
        fail(str(error), USAGE)
    except (DataError, StorageError, OSError) as error:
        fail(str(error), FAILED)
