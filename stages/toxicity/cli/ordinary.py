"""`lauter toxicity ordinary`: the two sets of ordinary text that the embedded model was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from lauter.pipeline.cli.console import FAILED, USAGE, fail


def ordinary(
    guide: Annotated[Path, typer.Argument(metavar="GUIDE", help="A checkout of github/opensource.guide.")],
    verses: Annotated[Path, typer.Argument(metavar="EBIBLE", help="A checkout of BibleNLP/ebible-corpus.")],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="The folder of the labelled sets; gets two folders.")],
) -> None:
    """Make the sets of ordinary text beside the labelled sets, for `lauter toxicity train`.

    The commits are in the model's NOTICE. catalogue.json in DATA must then name both sets and their licences:
    opensource-guide is under CC-BY-4.0, ebible-public-domain is public-domain.
    """
    from lauter.stages.toxicity.training.ordinary import GUIDE, VERSES, guide_of, verses_of, write_set

    for name in (GUIDE, VERSES):
        if (data / name).exists():
            fail(f"{data / name} is there already: remove it first", USAGE)
    try:
        for name, files in ((GUIDE, guide_of(guide)), (VERSES, verses_of(verses))):
            write_set(data / name, files)
            Console(emoji=False).print(Text(f"{data / name}: {len(files)} files"), soft_wrap=True)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}", FAILED)
