"""The lists equal their docstring, counted in plain Python, on a folder of three labels and one without spaces."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lauter.stages.language.evidence.lists import STEP, STEPS, WordLists
from lauter.stages.language.evidence.weigh import hash_text, key_of, step_of
from lauter.stages.language.training.held_out import WORDS
from lauter.stages.language.training.material import Material, read_material
from lauter.stages.language.training.recipe import Words
from lauter.stages.language.training.word_lists import choose_words
from tests.stages.language.training.examples import recipe, write_data

RECIPE = Words.model_validate({"most": 12, "most_favoured": 15, "missing": 3.0, "missing_power": 0.4, "weight": 1.0})


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    found = read_material(write_data(tmp_path_factory.mktemp("lists") / "data"), recipe())
    return found._replace(favoured=frozenset({"rus_Cyrl"}))


def plain_shares(material: Material, label: int) -> dict[str, float]:
    """The share of each word in a label: in each source by its counts, the sources by their weights."""
    items = material.items
    first, end = int(items.sources[label]), int(items.sources[label + 1])
    before, shares = 0, defaultdict[str, float](float)
    for source in range(first, end):
        counts, drawn = defaultdict[str, float](float), 0
        for item in range(items.first[source], items.last[source]):
            count = int(items.cumulative[item]) - drawn
            drawn = int(items.cumulative[item])
            text = items.data[items.starts[item] : items.starts[item + 1]].tobytes().decode()
            for word in text.split():
                counts[word] += count ** (4 / 3) if items.kinds[source] == WORDS else count
        weight = (int(items.shares[source]) - before) / int(items.shares[end - 1])
        before = int(items.shares[source])
        for word, times in counts.items():
            shares[word] += weight * times / sum(counts.values())
    return shares


def step(lists: WordLists, label: int, word: str) -> int:
    data, hashes = np.frombuffer(word.encode(), np.uint8), np.empty(1, np.uint64)
    assert hash_text(data, 0, len(data), hashes) == 1
    return step_of(lists, key_of(hashes[0], label, lists.bits))


def test_lists_are_those_of_the_formula(material: Material) -> None:
    lists = choose_words(material, RECIPE, 3)
    shares = [plain_shares(material, label) for label in range(len(material.labels))]
    spaced = [label for label in range(len(shares)) if not material.labels[label].endswith("Thai")]
    mean = defaultdict[str, float](float)
    for label in spaced:
        for word, share in shares[label].items():
            mean[word] += share / len(material.labels)
    entries = 0
    for label in spaced:
        new = min(max(3.0 * len(shares[label]) ** -0.4, 0.05), 0.9)
        gain = {word: math.log((1 - new) * share / mean[word] / new + 1) for word, share in shares[label].items()}
        room = 15 if material.labels[label] == "rus_Cyrl" else 12
        order = sorted(gain, key=lambda word: -shares[label][word] * gain[word])
        room = min(room, len(order))
        # Words that say the same are taken in order of hash: only what is clearly above or below the last is certain.
        least = shares[label][order[room - 1]] * gain[order[room - 1]]
        kept = [word for word in order if step(lists, label, word)]
        assert len(kept) == room
        assert all(shares[label][word] * gain[word] >= least * (1 - 1e-9) for word in kept)
        covered = sum(shares[label][word] for word in kept)
        missing = math.log(math.sqrt(new * (1 - (1 - new) * covered)))
        assert lists.missing[label] == pytest.approx(missing, abs=0.00501)
        lack = math.exp(lists.missing[label])
        spoken = 0.0
        for word in kept:
            steps = min(math.log((1 - lack) * shares[label][word] / mean[word] / lack + 1) / STEP, STEPS)
            assert step(lists, label, word) == pytest.approx(steps, abs=0.501)
            spoken += shares[label][word] * step(lists, label, word) * STEP
        assert lists.expected[label] == pytest.approx((1 - new) * spoken, abs=0.00501)
        entries += room
    assert len(lists.keys) == entries


def test_a_label_without_spaces_has_no_list(material: Material) -> None:
    lists = choose_words(material, RECIPE, 3)
    label = material.labels.index("tha_Thai")
    assert (lists.missing[label], lists.expected[label]) == (0, 0)
    assert not any(step(lists, label, word) for word in plain_shares(material, label))


def test_before_the_fit_weights_change_no_probability_of_the_best(material: Material) -> None:
    weights = choose_words(material, RECIPE, 3).weights
    assert tuple(weights) == (1, 0, 1, 0, 0)


def test_the_same_material_gives_the_same_lists(tmp_path: Path, material: Material) -> None:
    again = read_material(write_data(tmp_path / "data"), recipe())._replace(favoured=material.favoured)
    one, other = choose_words(material, RECIPE, 3), choose_words(again, RECIPE, 3)
    fields: Iterator[tuple[Any, Any]] = zip(one, other, strict=True)
    assert all(np.array_equal(left, right) for left, right in fields)
