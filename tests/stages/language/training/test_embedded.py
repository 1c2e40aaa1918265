"""The embedded model as it is shipped: its parts fit together, and it keeps what its card says."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from lauter.stages.language.evaluation.examples import read
from lauter.stages.language.fasttext.read import load as read_model
from lauter.stages.language.labels import support
from lauter.stages.language.load import load
from lauter.stages.language.training.gather import read_inputs
from lauter.stages.language.training.recipe import Recipe
from lauter.stages.language.training.support_table import Scored, answer

SHIPPED = Path(__file__).parents[4] / "stages" / "language" / "models" / "embedded"
DATA = Path(os.environ.get("LAUTER_TEST_DATA") or Path(__file__).parents[4] / ".." / "shared" / "data")
CARD = json.loads((SHIPPED / "card.json").read_text("utf-8"))


def test_the_card_is_that_of_the_model() -> None:
    content = (SHIPPED / "model.ftz").read_bytes()
    words = (SHIPPED / "model.words").read_bytes()
    for file, told in ((content, CARD), (words, CARD["words"])):
        assert len(file) == told["bytes"]
        assert hashlib.sha256(file).hexdigest() == told["sha256"]
    assert len(content) + len(words) <= 30_000_000
    table = support.read(SHIPPED / "labels.tsv")
    assert len(table) == CARD["labels"] >= 1900
    assert len({label[:3] for label in table if label != "zxx_Zzzz"}) == CARD["languages"] >= 1800
    assert Counter(row.level for row in table.values()) == CARD["levels"]
    assert "untested" not in CARD["levels"]


def test_the_model_has_the_labels_of_its_table_and_the_shape_of_its_recipe() -> None:
    model, recipe = read_model(str(SHIPPED / "model.ftz")), Recipe.read(SHIPPED / "recipe.yaml")
    assert [label.removeprefix("__label__") for label in model.labels] == list(support.read(SHIPPED / "labels.tsv"))
    assert (model.dim, model.minn, model.maxn) == (recipe.network.dim, recipe.network.minn, recipe.network.maxn)
    assert model.bucket == recipe.network.buckets
    assert not {label.removeprefix("__label__") for label in model.labels} & set(recipe.without)
    assert "model.words" in (SHIPPED / "NOTICE").read_text("utf-8")


def test_every_source_is_on_the_card_and_in_the_notice() -> None:
    recipe, notice = Recipe.read(SHIPPED / "recipe.yaml"), (SHIPPED / "NOTICE").read_text("utf-8").lower()
    sources = {source["source"]: source for source in CARD["sources"]}
    assert set(sources) == set(recipe.sampling.sources)
    assert {row.source for row in read_inputs(SHIPPED / "inputs.tsv")} <= set(sources)
    assert all(source["licence"] and source["where"] and source["labels"] for source in sources.values())
    for name in ("unilex", "fineweb-2", "ebible", "mediawiki", "wiktionary", "wordfreq", "noise"):
        assert name in notice


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "on_card"), [("udhr", "udhr"), ("ebible_nc_verses", "verses"), ("indomain", "indomain")]
)
def test_scores_are_those_of_the_card(name: str, on_card: str) -> None:
    path = DATA / "language" / f"test-{name}.tsv.zst"
    if not path.exists():
        pytest.skip(f"language/{path.name} is not under LAUTER_TEST_DATA")
    examples = read(path)
    answers, probabilities = answer(load("embedded"), examples.data, examples.offsets)
    scores = Scored(on_card, True, 0, examples.gold, answers, probabilities).f1()
    told = CARD["evaluation"][on_card]
    assert len(scores) == told["labels"]
    assert np.mean(list(scores.values())) == pytest.approx(told["macro_f1"], abs=0.002)
