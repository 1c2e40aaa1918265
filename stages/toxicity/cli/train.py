"""`lauter toxicity train`: a model from labelled posts, by a recipe that gives the same bytes every time."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from lauter.pipeline.cli.console import FAILED, USAGE, JsonOption, fail, show

if TYPE_CHECKING:
    from lauter.stages.toxicity.training.recipe import Recipe

EMBEDDED = "models/embedded/recipe.yaml"
"""The recipe of the embedded model, below the folder of the stage."""


def train(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="A folder of NAME.jsonl or .jsonl.gz (text, lang, toxic: 0 or 1), and catalogue.json (set, licence).",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the model goes; must not exist yet.")],
    recipe: Annotated[
        Path | None, typer.Option(metavar="YAML", help="Every number that decides; the embedded model's if not given.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Train a model as the embedded one was: one thread, fixed seeds, the same bytes on every machine.

    DIR gets model.classifier, card.json (licences, figures on texts that were kept out, limits) and recipe.yaml. Use it
    as `toxicity: {model_file: DIR/model.classifier}`. A set whose licence the recipe does not name is refused.
    """
    if out.exists():
        fail(f"{out} is there already: a model is never overwritten; name a new folder", USAGE)
    if not data.is_dir():
        fail(f"{data} is no folder", USAGE)
    text, chosen = _recipe(recipe)
    try:
        card = _train(data, out, text, chosen)
    except ValueError as error:
        fail(str(error), USAGE)
    except OSError as error:
        fail(f"{error.filename or out}: {error.strerror or error}", FAILED)
    if as_json:
        show({"out": str(out), **card})
        return
    console = Console(emoji=False)
    for code, row in card["languages"].items():
        told = f"{code}: {row['texts']:,} texts, AUC {row['auc']}, best F1 {row['best_f1']}"
        console.print(Text(told), soft_wrap=True)
    told = f"macro AUC {card['macro_auc']}, error of calibration {card['calibration']['expected_error']}"
    console.print(Text(told), soft_wrap=True)
    console.print(Text(f"{out}/model.classifier, card.json, recipe.yaml"), soft_wrap=True)


def _recipe(path: Path | None) -> tuple[bytes, Recipe]:
    """The recipe of a file, or that of the embedded model, and its bytes."""
    from lauter.stages.toxicity.training.recipe import Recipe

    try:
        if path is not None:
            return path.read_bytes(), Recipe.read(path)
        with resources.as_file(resources.files("lauter.stages.toxicity").joinpath(EMBEDDED)) as embedded:
            return embedded.read_bytes(), Recipe.read(embedded)
    except ValueError as error:
        fail(str(error), USAGE)
    except OSError as error:
        fail(f"{error.filename} can't be read: {error.strerror}", USAGE)


def _train(data: Path, out: Path, text: bytes, recipe: Recipe) -> dict[str, Any]:
    from lauter.stages.toxicity.training.card import card_of, to_json
    from lauter.stages.toxicity.training.sets import licences_of
    from lauter.stages.toxicity.training.train import read_training, train_model

    console = Console(stderr=True, emoji=False)
    trained = train_model(read_training(data, recipe), recipe, lambda words: console.print(Text(words), soft_wrap=True))
    card = card_of(trained, recipe, licences_of(data))
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as staging:
        made = Path(staging, out.name)
        made.mkdir()
        trained.model.save(made / "model.classifier")
        (made / "card.json").write_text(to_json(card), "utf-8")
        (made / "recipe.yaml").write_bytes(text)
        made.rename(out)
    return card
