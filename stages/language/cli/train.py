"""`lauter lang train`: a model from labelled text, by a recipe that gives the same bytes every time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from lauter.pipeline.cli.console import FAILED, USAGE, JsonOption, fail, refuse_existing, show
from lauter.stages.training_console import ModelFolderOption, RecipeOption, read_recipe, staged_folder

if TYPE_CHECKING:
    from lauter.stages.language.training.recipe import Recipe
    from lauter.stages.language.training.support_table import Set


def train(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="A folder of LABEL.txt (source, tab, text) and LABEL.words (source, tab, word, tab, count).",
        ),
    ],
    out: ModelFolderOption,
    recipe: RecipeOption = None,
    judge: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="Running text, label<TAB>text, to score labels and set limits with."),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="The same; what is confused in it makes clusters too."),
    ] = None,
    words: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="The same as --text, for lines of words that are no text."),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Train a model as the embedded one was: one thread, fixed seeds, the same bytes on every machine.

    DIR gets model.ftz, model.words (the word lists that are read with it), labels.tsv (how well it knows each label, on
    lines that were kept out of training, and on --judge, --text and --words) and recipe.yaml. Use it as
    `model: DIR/model.ftz` with `word_lists: DIR/model.words` and `normalise: true`.
    """
    from lauter.stages.language.labels import support
    from lauter.stages.language.training.recipe import Recipe

    refuse_existing(out, "a model", "folder")
    if not data.is_dir():
        fail(f"{data} is no folder", USAGE)
    content, chosen = read_recipe(recipe, "lauter.stages.language", Recipe.read)
    try:
        _train(data, out, content, chosen, _sets(judge or [], text or [], words or []))
    except ValueError as error:
        fail(str(error), USAGE)
    except OSError as error:
        fail(f"{error.filename or out}: {error.strerror or error}", FAILED)
    known = support.read(out / "labels.tsv")
    levels = {level: sum(row.level == level for row in known.values()) for level in support.LEVELS}
    if as_json:
        show({"out": str(out), "labels": len(known), "levels": levels})
        return
    told = ", ".join(f"{number:,} {support.LEVEL_WORDS[level]}" for level, number in levels.items() if number)
    console = Console(emoji=False)
    console.print(f"{len(known):,} labels: {told}", highlight=False, soft_wrap=True)
    console.print(Text(f"{out}/model.ftz, model.words, labels.tsv, recipe.yaml"), soft_wrap=True)


def _sets(judge: list[str], text: list[str], words: list[str]) -> list[Set]:
    """The sets that are named, read before anything is trained.

    Raises:
        ValueError: A name is none or there twice, or a file is no set.
        OSError: A file cannot be read.
    """
    from lauter.stages.language.evaluation.examples import read
    from lauter.stages.language.training.support_table import HELD, Set

    found: dict[str, Set] = {}
    for named, is_running, fits in ((judge, True, 0), (text, True, 1), (words, False, 1)):
        for each in named:
            name, _, path = each.partition("=")
            if not path or not name.isidentifier():
                raise ValueError(f"{each}: a set is given as NAME=FILE, like verses=verses.tsv")
            if not Path(path).is_file():
                raise ValueError(f"{each}: {path} is no file")
            if name in found or name in HELD:
                raise ValueError(f"{each}: there is a set of the name {name} already; choose another")
            found[name] = Set(is_running, fits, replace(read(Path(path)), name=name))
    return list(found.values())


def _train(data: Path, out: Path, text: bytes, recipe: Recipe, sets: list[Set]) -> None:
    from lauter.stages.language.load import lists_beside, load
    from lauter.stages.language.training.support_table import held_sets, write_table
    from lauter.stages.language.training.train import train_model

    console = Console(stderr=True, emoji=False)

    def told(words: str) -> None:
        console.print(Text(words), soft_wrap=True)

    with staged_folder(out) as made:
        (made / "recipe.yaml").write_bytes(text)
        model = made / "model.ftz"
        trained = train_model(data, model, recipe, told)
        identifier = load(str(model), normalised=True, lists=lists_beside(str(model)))
        tests = [each.scored(identifier) for each in (*held_sets(trained.material), *sets)]
        write_table(made / "labels.tsv", trained.material, tests)
