"""`lauter quality train`: a classifier of n-grams from good and other texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lauter.pipeline.cli.console import FAILED, JsonOption, fail, refuse_existing, show, table_console
from lauter.stages.training_console import FILES, LanguageOption, MostOption, print_measures, read_texts

if TYPE_CHECKING:
    from lauter.stages.classifier.model import Classifier

MOST = 200_000
"""As many as DCLM's classifier has of each class (arXiv:2406.11794, section 4.4)."""


def train(
    positives: Annotated[str, typer.Argument(metavar="POSITIVES", help=f"Good texts: {FILES}.")],
    negatives: Annotated[str, typer.Argument(metavar="NEGATIVES", help="Other texts, such as a sample of the web.")],
    out: Annotated[Path, typer.Option(metavar="MODEL", help="The model's file; must not exist yet.")],
    language: LanguageOption = None,
    most: MostOption = MOST,
    text_bytes: Annotated[
        int, typer.Option(min=64, max=1 << 16, help="Bytes of each text that are looked at, from its beginning.")
    ] = 4096,
    epochs: Annotated[int, typer.Option(min=1, max=1000, help="Passes over the texts.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the order of texts.")] = 0,
    licence: Annotated[str, typer.Option(help="Licence and source of the texts, for the card.")] = "not stated",
    *,
    as_json: JsonOption = False,
) -> None:
    """Train the classifier that the stage `quality` takes as `classifier: MODEL`.

    A tenth of the texts, by their hashes, is kept for calibration and another for the figures. MODEL and its card
    MODEL.json have the same bytes on any machine. Texts without any language give a model for all of them.
    """
    from lauter.stages.quality.training import RECIPE, train_classifier

    card = out.with_name(f"{out.name}.json")
    for path in (out, card):
        refuse_existing(path, "a model", "file")
    # A code point has a byte or more.
    texts = read_texts(positives, negatives, language, most, text_bytes)
    recipe = RECIPE.model_copy(update={"text_bytes": text_bytes, "epochs": epochs, "seed": seed})
    try:
        model = train_classifier(texts, recipe, licence)
        out.parent.mkdir(parents=True, exist_ok=True)
        model.save(out)
        told = {"digest": model.digest, **model.notes}
        card.write_text(json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True) + "\n", "utf-8")
    except ValueError as error:
        fail(str(error), FAILED)
    except OSError as error:
        fail(f"{error.filename or out}: {error.strerror or error}", FAILED)
    if as_json:
        show(told)
        return
    _print(model)


def _print(model: Classifier) -> None:
    print_measures(("language",), [((label,), found) for label, found in model.notes["held out"].items()])
    if model.notes["left out"]:
        told = f"left out, as a class has too few texts: {', '.join(model.notes['left out'])}"
        table_console().print(told, soft_wrap=True)
