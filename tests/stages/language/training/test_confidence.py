"""How sure an answer is, fitted on held-out lines as they are and with their own label out of question."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from lauter.stages.language.evidence.lists import SCALE, Weights
from lauter.stages.language.evidence.weigh import weigh
from lauter.stages.language.training.confidence import fit_confidence, logistic
from lauter.stages.language.training.held_out import TEXT, Held
from lauter.stages.language.training.material import Material, read_material
from lauter.stages.language.training.word_lists import choose_words
from tests.stages.language.training.examples import WORDS, recipe, write_data

LATIN = ("deu_Latn", "fra_Latn", "ita_Latn")
ITALIAN = "il di che è la per non con una sono molto casa acqua albero bambino scuola domani ancora"


class Unsure:
    """Gives the right label's place in the text's first word 0.6 of the mass, and the others the rest."""

    def __init__(self, labels: tuple[str, ...], texts: dict[str, str]) -> None:
        self.labels, self.texts = labels, texts

    def probabilities(
        self, data: NDArray[np.uint8], offsets: NDArray[np.int64], allowed: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        found = np.where(allowed, 0.4 / np.maximum(allowed.sum(axis=1, keepdims=True) - 1, 1), 0)
        for row, (start, stop) in enumerate(pairwise(offsets.tolist())):
            found[row, self.labels.index(self.texts[data[start:stop].tobytes().decode()])] = 0.6
        return found.astype(np.float32)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    folder = write_data(tmp_path_factory.mktemp("confidence") / "data")
    counts = (f"list\t{word}\t{100 - place}\n" for place, word in enumerate(ITALIAN.split()))
    (folder / "ita_Latn.words").write_text("".join(counts), "utf-8")
    found = read_material(folder, recipe())
    held = []
    for label in LATIN:
        words = (ITALIAN if label == "ita_Latn" else WORDS[label].replace("'", " ")).split()
        for place in range(80):
            line = [words[(place * step) % len(words)] for step in range(1, 5 + place % 9)]
            held.append(Held(label, TEXT, f"{' '.join(line)} {chr(97 + place // 9)}{chr(97 + place % 9)}"))
    return found._replace(held=tuple(held))


def test_words_say_whether_an_answer_is_right(material: Material) -> None:
    chosen = choose_words(material, recipe().words, 4)
    texts = {line.text: line.label for line in material.held}
    lists = fit_confidence(material, Unsure(material.labels, texts), chosen)  # type: ignore[arg-type]
    assert lists.weights.among == chosen.weights.among
    assert all(value * SCALE == round(value * SCALE) for value in lists.weights)
    assert lists.weights.agreement > 0
    sure = []
    for text in ("der und nicht haus schule", "qa wb yc xd ze"):
        row = np.array([[0.6 if label == "deu_Latn" else 0.1 for label in material.labels]], np.float32)
        weigh(np.frombuffer(text.encode(), np.uint8), np.array([0, len(text)]), lists, row)
        sure.append(float(row[0, material.labels.index("deu_Latn")]))
    assert sure[0] > 0.9 > 0.5 > sure[1]


def test_with_few_lines_probabilities_stay_what_the_model_says(material: Material) -> None:
    chosen = choose_words(material, recipe().words, 4)
    few = material._replace(held=material.held[:150])
    texts = {line.text: line.label for line in material.held}
    assert fit_confidence(few, Unsure(material.labels, texts), chosen).weights == chosen.weights  # type: ignore[arg-type]
    assert tuple(chosen.weights) == Weights(1, 0, 1, 0, 0)


def test_the_regression_finds_what_the_answers_were_drawn_by() -> None:
    draw = np.random.default_rng(1)
    columns = np.stack([np.ones(20_000), draw.standard_normal(20_000)], axis=1)
    right = draw.random(20_000) < 1 / (1 + np.exp(-(columns @ np.array([0.5, -2.0]))))
    assert logistic(columns, right, np.ones(20_000), np.zeros(2)) == pytest.approx([0.5, -2.0], abs=0.1)
    twice = logistic(columns, right, np.full(20_000, 2.0), np.zeros(2))
    assert twice == pytest.approx(logistic(columns, right, np.ones(20_000), np.zeros(2)))


def test_where_all_answers_are_right_the_regression_stays_near_its_start() -> None:
    columns = np.stack([np.ones(50), np.linspace(1, 9, 50)], axis=1)
    start = np.array([0.0, 1.0])
    assert logistic(columns, np.ones(50, np.bool_), np.ones(50), start) == pytest.approx(start, abs=3)
