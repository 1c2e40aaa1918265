"""Training, the model's file, and its answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from lauter.stages.classifier.features import find_features, memory_for
from lauter.stages.classifier.measures import area
from lauter.stages.classifier.model import Classifier
from lauter.stages.classifier.predict import logits, probabilities, second
from lauter.stages.classifier.train import Recipe, train
from lauter.stages.kernels.words import TextBuffers, text_buffers

RECIPE = Recipe(bits=12, words=2, least=2, most=3, text_bytes=200, epochs=8)
GOOD = ["the sun is warm today", "a fine day in the garden", "bread and butter", "we walk to the lake"]
BAD = ["buy cheap pills now", "cheap watches buy now", "win money now now", "pills and money cheap"]


def buffers(texts: list[str]) -> TextBuffers:
    return text_buffers(pa.array(texts, pa.large_string()))


def trained(recipe: Recipe = RECIPE, weights: list[float] | None = None) -> Classifier:
    texts = buffers(GOOD + BAD)
    labels = np.repeat(np.array([0, 1], np.int32), 4)
    given = np.ones(8, np.float32) if weights is None else np.array(weights, np.float32)
    return train(texts.data, texts.offsets, labels, given, ("good", "bad"), recipe)


def ask(model: Classifier, texts: list[str]) -> NDArray[np.float32]:
    held = buffers(texts)
    return logits(model, held.data, held.offsets)


def test_it_learns_and_says_so_of_words_it_knows() -> None:
    model = trained()
    assert area(ask(model, GOOD + BAD)[:, 0], np.repeat([False, True], 4)) == 1
    good, bad, unknown = ask(model, ["a day at the lake", "cheap pills", "Вчера"])[:, 0]
    assert good < unknown < bad


def test_the_optimum_is_that_of_the_stated_objective() -> None:
    """At the minimum of |w|^2 / 2 + C sum of squared hinge losses, the gradient vanishes."""
    recipe = RECIPE.model_copy(update={"epochs": 400, "cost": 0.7})
    model = trained(recipe)
    shape, memory = recipe.shape, memory_for(recipe.shape)
    rows = np.zeros((8, shape.buckets + 1))
    for row, text in enumerate(GOOD + BAD):
        data = np.frombuffer(text.encode(), np.uint8)
        found = memory.found[: find_features(data, 0, len(data), shape, -1, -1, memory)]
        rows[row, found] = model.table[found, 0]
        rows[row] /= np.linalg.norm(rows[row])
        rows[row, -1] = 1
    weights = np.append(model.table[:, 1] * model.scales[0], model.bias[0])
    side = np.repeat([-1.0, 1.0], 4)
    slack = np.maximum(1 - side * (rows @ weights), 0)
    gradient = weights - 2 * 0.7 * ((slack * side) @ rows)
    assert np.abs(gradient).max() < 1e-3


def test_the_same_bytes_every_time_and_no_text_of_weight_0(tmp_path: Path) -> None:
    trained().save(tmp_path / "one")
    trained().save(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    without = trained(weights=[1, 1, 1, 0, 1, 1, 1, 0])
    texts = buffers(GOOD[:3] + BAD[:3])
    labels = np.repeat(np.array([0, 1], np.int32), 3)
    alone = train(texts.data, texts.offsets, labels, np.ones(6, np.float32), ("good", "bad"), RECIPE)
    assert without.digest != trained().digest
    assert np.array_equal(without.table[:, 0], alone.table[:, 0])


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    model = trained().calibrated((1.5,), (-0.25,)).noted({"of": "a test"})
    model.save(tmp_path / "model")
    read = Classifier.load(tmp_path / "model")
    assert read.digest == model.digest
    assert (read.labels, read.shape, read.notes) == (model.labels, model.shape, {"of": "a test"})
    assert np.array_equal(ask(read, GOOD), ask(model, GOOD))
    assert second(read, ask(read, BAD)).tolist() == second(model, ask(model, BAD)).tolist()


@pytest.mark.parametrize("harm", [b"", b"no classifier", None])
def test_a_file_that_is_none_is_an_error(tmp_path: Path, harm: bytes | None) -> None:
    path = tmp_path / "model"
    trained().save(path)
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(bytes(content) if harm is None else harm)
    with pytest.raises(ValueError, match="damaged" if harm is None else "no classifier"):
        Classifier.load(path)


def test_answers_do_not_depend_on_the_batch() -> None:
    model = trained()
    texts = [*GOOD, "", *BAD, "x" * 500]
    whole = ask(model, texts)
    assert whole.tolist() == [ask(model, [text])[0].tolist() for text in texts]


def test_many_classes_and_their_probabilities() -> None:
    texts = buffers([*GOOD, *BAD, "ein tag am see", "wir gehen heim", "brot und butter", "die sonne ist warm"])
    labels = np.repeat(np.array([0, 1, 2], np.int32), 4)
    model = train(texts.data, texts.offsets, labels, np.ones(12, np.float32), ("good", "bad", "german"), RECIPE)
    found = logits(model, texts.data, texts.offsets)
    assert found.shape == (12, 3)
    assert np.array_equal(found.argmax(axis=1), labels)
    assert np.allclose(probabilities(model, found).sum(axis=1), 1)


def test_a_group_learns_its_own_from_the_same_words() -> None:
    texts = buffers(["gift", "gift", "gift", "gift"])
    groups = np.array([0, 1, 0, 1])
    labels = np.array([0, 1, 0, 1], np.int32)
    model = train(texts.data, texts.offsets, labels, np.ones(4, np.float32), ("no", "yes"), RECIPE, groups)
    found = logits(model, texts.data, texts.offsets, groups)[:, 0]
    assert found[0] < 0 < found[1]


def test_what_cannot_be_trained_is_an_error() -> None:
    texts = buffers(GOOD)
    one = np.zeros(4, np.int32)
    with pytest.raises(ValueError, match="two classes"):
        train(texts.data, texts.offsets, one, np.ones(4, np.float32), ("a", "b"), RECIPE)
    with pytest.raises(ValueError, match="4 texts need as many"):
        train(texts.data, texts.offsets, one[:3], np.ones(4, np.float32), ("a", "b"), RECIPE)
    with pytest.raises(ValidationError, match="above most"):
        Recipe(least=6, most=5)
    with pytest.raises(ValidationError, match="neither"):
        Recipe(words=0, most=0)
