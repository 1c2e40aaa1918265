"""`lauter toxicity train`: a model from labelled posts, by a recipe that gives the same bytes every time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from lauter.pipeline.cli.console import FAILED, USAGE, JsonOption, fail, refuse_existing, show
from lauter.stages.training_console import ModelFolderOption, RecipeOption, read_recipe, staged_folder

if TYPE_CHECKING:
    from lauter.stages.toxicity.training.recipe import Recipe


def train(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="A folder of NAME.jsonl or .jsonl.gz (text, lang, toxic: 0 or 1), and catalogue.json (set, licence).",
        ),
    ],
    out: ModelFolderOption,
    recipe: RecipeOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Train a model as the embedded one was: one thread, fixed seeds, the same bytes on every machine.

    DIR gets model.classifier, card.json (licences, figures on texts that were kept out, limits) and recipe.yaml. Use it
    as `toxicity: {model_file: DIR/model.classifier}`. A set whose licence the recipe does not name is refused.

    Example: `lauter toxicity train sets --out mine --recipe mine.yaml`, where sets/posts.jsonl has lines like
    {"text": "you idiot", "lang": "en", "toxic": 1}, sets/catalogue.json is [{"set": "posts", "licence": "MIT"}], and
    mine.yaml is a copy of the embedded model's recipe whose `train`, `ordinary` and `languages` name what is in sets.
    """
    from lauter.stages.toxicity.training.recipe import Recipe

    refuse_existing(out, "a model", "folder")
    if not data.is_dir():
        fail(f"{data} is no folder", USAGE)
    text, chosen = read_recipe(recipe, "lauter.stages.toxicity", Recipe.read)
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


def _train(data: Path, out: Path, text: bytes, recipe: Recipe) -> dict[str, Any]:
    from lauter.stages.toxicity.training.card import card_of, to_json
    from lauter.stages.toxicity.training.sets import licences_of
    from lauter.stages.toxicity.training.train import read_training, train_model

    console = Console(stderr=True, emoji=False)
    trained = train_model(read_training(data, recipe), recipe, lambda words: console.print(Text(words), soft_wrap=True))
    card = card_of(trained, recipe, licences_of(data))
    with staged_folder(out) as made:
        trained.model.save(made / "model.classifier")
        (made / "card.json").write_text(to_json(card), "utf-8")
        (made / "recipe.yaml").write_bytes(text)
    return card
