"""Training a model from a folder of sets, by the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from lauter.stages.classifier.model import Classifier
from lauter.stages.toxicity.cli import app
from lauter.stages.toxicity.training.recipe import Recipe

RECIPE = {
    "train": ["posts"], "ordinary": ["prose"], "ordinary_texts": 10, "licences": ["MIT", "public-domain"],
    "languages": {"en": ["eng_Latn"], "de": ["deu_Latn"]}, "folds": 3,
    "classifier": {"bits": 12, "words": 2, "least": 2, "most": 3, "epochs": 3, "text_bytes": 512},
}  # fmt: skip
FOUL = {"en": "you are a stupid idiot and I hate you", "de": "du bist ein blöder Idiot und ich hasse dich"}
FINE = {"en": "the train to the lake is late", "de": "der Zug an den See hat Verspätung"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "prose" / "en").mkdir(parents=True)
    (folder / "prose" / "en" / "page.txt").write_text("A long quiet paragraph about the history of the railway. " * 3)
    rows = [
        {"text": f"{text} {at}", "lang": language, "toxic": toxic}
        for toxic, texts in ((1, FOUL), (0, FINE))
        for language, text in texts.items()
        for at in "abcdefghijklmnop"
    ]
    (folder / "posts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    catalogue = [{"set": "posts", "licence": "MIT"}, {"set": "prose", "licence": "public-domain"}]
    (folder / "catalogue.json").write_text(json.dumps(catalogue))
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    return folder


def run(data: Path, out: Path, *more: str) -> tuple[int, str]:
    arguments = ["train", str(data), "--out", str(out), "--recipe", str(data.parent / "recipe.yaml"), *more]
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


def test_the_same_bytes_and_a_card_of_what_was_not_seen(data: Path, tmp_path: Path) -> None:
    code, told = run(data, tmp_path / "one")
    assert code == 0, told
    assert "macro AUC 0." in told
    assert run(data, tmp_path / "two", "--json")[0] == 0
    for name in ("model.classifier", "card.json", "recipe.yaml"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    card = json.loads((tmp_path / "one" / "card.json").read_text("utf-8"))
    assert card["trained on"] == {
        "posts": {"licence": "MIT", "texts": 64}, "prose": {"licence": "public-domain", "texts": 1},
    }  # fmt: skip
    assert card["macro_auc"] > 0.7  # a classifier of twenty texts finds no more
    assert card["languages"]["de"]["texts"] == 32
    assert card["languages"]["en"]["texts"] == 32  # ordinary text has no part in figures
    model = Classifier.load(tmp_path / "one" / "model.classifier")
    assert model.digest == card["digest"]
    assert set(model.notes["languages"]) == {"eng_Latn", "deu_Latn"}


def test_a_folder_that_is_there_is_never_overwritten(data: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    code, told = run(data, tmp_path / "one")
    assert code == 2
    assert "never overwritten" in told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"licences": ["MIT"]}, "prose is under public-domain"),
        ({"train": ["posts", "other"]}, "other has no licence"),
        ({"folds": 1}, "folds"),
        ({"languages": {"en": ["eng_Latn"], "de": ["deu_Latn"], "fr": ["fra_Latn"]}}, "no toxic and other texts in fr"),
        ({"classifier": {"least": 5, "most": 3}}, "above most"),
    ],
)
def test_what_cannot_be_trained_is_told(data: Path, tmp_path: Path, change: dict[str, object], told: str) -> None:
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({**RECIPE, **change}))
    code, output = run(data, tmp_path / "one")
    assert code == 2
    assert told in output.replace("\n", " ")
    assert not (tmp_path / "one").exists()


def test_a_recipe_that_is_no_yaml(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("train: [")
    with pytest.raises(ValueError, match="no YAML"):
        Recipe.read(tmp_path / "recipe.yaml")
