"""Heads trained, calibrated and measured on texts of two classes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from lauter.stages.classifier.measures import area
from lauter.stages.embedding.head import Head
from lauter.stages.embedding.measured import Encoder, measures, raw, recalibrated, train_head
from lauter.stages.embedding.training import RECIPES
from lauter.stages.encoders.chunks import Chunker
from lauter.stages.labelled_texts import MEASURED, Labelled
from tests.stages.encoders.small_tokenizer import TEXTS, make_tokenizer

RECIPE = replace(RECIPES["quality"], batch=16, rate=0.01, epochs=4)


class Table:
    """An encoder without layers: a token's hidden state is its row of a table, and a vector their mean."""

    def __init__(self) -> None:
        self.table = np.random.default_rng(0).normal(size=(400, 24)).astype(np.float32)

    def hidden(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        weight = mask[:, :, None].astype(np.float32)
        found: NDArray[np.float32] = (self.table[ids] * weight).sum(1) / weight.sum(1)
        return found


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    pytest.importorskip("torch", reason="torch is not installed (extra `embedding`)")
    folder = tmp_path_factory.mktemp("table")
    make_tokenizer(folder)
    return Encoder(Table(), Chunker(str(folder / "tokenizer.json"), 64), "digest", 512, 8)


def texts(count: int) -> Labelled:
    """Texts whose words are more of the one sentence or of the other."""
    generator = np.random.default_rng(1)
    good, bad = TEXTS[0].split(), TEXTS[3].split()
    positive = generator.random(count) < 0.5
    rows = [
        " ".join(generator.choice(good if generator.random() < (0.8 if is_good else 0.3) else bad) for _ in range(12))
        for is_good in positive
    ]
    languages = tuple(generator.choice(["deu_Latn", "eng_Latn"], count).tolist())
    return Labelled(pa.array(rows, pa.large_string()), languages, positive, (np.arange(count) % 10).astype(np.uint8))


def test_a_head_is_trained_calibrated_and_measured_apart(encoder: Encoder) -> None:
    data = texts(600)
    losses: list[str] = []
    head = train_head(data, encoder, RECIPE, {"kind": "quality"}, losses.append)
    assert len(losses) == RECIPE.epochs
    assert head.languages == ("deu_Latn", "eng_Latn")
    assert head.encoder == "digest"
    held = head.card["held out"]
    assert set(held) == {"all", "deu_Latn", "eng_Latn"}
    assert held["all"]["texts"] == 60
    assert held["all"]["AUC"] > 0.9
    # Of 60 texts; .12 to .16 by the number of threads that torch adds up with.
    assert held["all"]["ECE"] < 0.2
    # What is on the card are figures of the tenth that nothing else has seen.
    measured = data.rows(data.fold == MEASURED)
    assert measures(head, measured, encoder) == held
    assert round(area(raw(head, measured.texts, encoder), measured.positive), 4) == held["all"]["AUC"]
    again = train_head(data, encoder, RECIPE, {"kind": "quality"}, lambda _: None)
    assert again.facts() == head.facts()


def test_a_head_that_exists_is_calibrated_and_keeps_its_order(encoder: Encoder) -> None:
    data = texts(600)
    head = train_head(data, encoder, RECIPE, {}, lambda _: None)
    # Logits a hundredth as wide, as two softmaxes leave them, and beside the middle.
    weights: dict[str, NDArray[Any]] = {
        **head.weights, "out.weight": head.weights["out.weight"] / 50, "out.bias": np.ones(1, np.float32),
    }  # fmt: skip
    pressed = replace(head, weights=weights, slope=1.0, offset=0.0)
    found = recalibrated(pressed, data, encoder)
    assert measures(pressed, data, encoder)["all"]["ECE"] > 0.15
    assert found.card["held out"]["all"]["ECE"] < 0.15
    assert found.card["held out"]["all"]["AUC"] > 0.9
    assert found.slope > 5


def test_a_head_judges_the_chunks_that_the_stage_judges(encoder: Encoder) -> None:
    data = texts(50)
    head = train_head(texts(600), encoder, RECIPE, {}, lambda _: None)
    long = pa.array([" ".join(data.texts.to_pylist())], pa.large_string())
    every = raw(replace(head, chunks="highest"), long, encoder)
    assert every[0] > raw(head, long, encoder)[0]


def test_what_cannot_be_learned(encoder: Encoder) -> None:
    data = texts(600)
    head = train_head(data, encoder, RECIPE, {}, lambda _: None)
    swapped = replace(data, positive=~data.positive)
    with pytest.raises(ValueError, match="no better than chance"):
        recalibrated(head, swapped, encoder)
    few = texts(10)
    with pytest.raises(ValueError, match="too few texts"):
        train_head(few, encoder, RECIPE, {}, lambda _: None)
    with pytest.raises(ValueError, match="too few texts"):
        recalibrated(Head(head.weights, "first", (), ""), few.rows(few.positive), encoder)
