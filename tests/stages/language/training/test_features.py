from __future__ import annotations

from pathlib import Path

import fasttext
import numpy as np
import pytest

from lauter.stages.language.fasttext.read import load
from lauter.stages.language.training.features import choose_features, find_features
from lauter.stages.language.training.held_out import word_hash
from lauter.stages.language.training.material import read_material
from lauter.stages.language.training.train import train_model
from tests.stages.language.training.examples import recipe, write_data

LINES = ["und nicht über straße haus", "où l'eau a", "ещё привет", "ภาษาไทย น้ำ", "𝕳𝖆 é", "unbekanntes wort", "ß"]


def test_features_are_those_of_the_library(tmp_path: Path) -> None:
    data, chosen_by = write_data(tmp_path / "data"), recipe()
    train_model(data, tmp_path / "model.ftz", chosen_by, lambda _: None)
    library = fasttext.load_model(str(tmp_path / "model.ftz"))
    model = load(str(tmp_path / "model.ftz"))
    chosen = choose_features(read_material(data, chosen_by), chosen_by)
    found = np.empty(500, np.int32)
    for line in LINES:
        raw = np.frombuffer(line.encode(), np.uint8)
        ours = sorted(found[: find_features(raw, 0, len(raw), chosen.features, found)].tolist())
        theirs: list[int] = []
        for word in line.split():
            theirs += (int(place) for place in library.get_subwords(word)[1])
        assert ours == sorted(theirs)
    names = [
        bytes(model.words.data[start : start + length])
        for start, length in zip(model.words.starts, model.words.lengths, strict=True)
    ]
    assert tuple(names[: model.words.words]) == chosen.names


def test_the_most_drawn_words_and_buckets_are_kept(tmp_path: Path) -> None:
    by = recipe(words=5)
    material = read_material(write_data(tmp_path / "data"), by)
    chosen = choose_features(material, by)
    assert len(chosen.names) == chosen.features.words == 5
    assert (np.diff(chosen.uses[:5]) <= 0).all()
    assert (chosen.features.buckets >= 0).sum() == min(len(chosen.uses) - 5, by.quantisation.features - 5)
    assert sorted(chosen.features.buckets[chosen.features.buckets >= 0].tolist()) == list(range(5, len(chosen.uses)))


def test_data_without_any_feature_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "deu_Latn.txt").write_text("text\ta b\ntext\tb c\n", "utf-8")
    by = recipe(minn=4)
    with pytest.raises(ValueError, match=r"lower network\.minn"):
        choose_features(read_material(tmp_path / "data", by), by)


def test_more_features_than_there_is_room_for_are_left_out(tmp_path: Path) -> None:
    by = recipe()
    chosen = choose_features(read_material(write_data(tmp_path / "data"), by), by)
    raw = np.frombuffer("und nicht über".encode(), np.uint8)
    few, many = np.empty(3, np.int32), np.empty(300, np.int32)
    assert find_features(raw, 0, len(raw), chosen.features, few) == 3
    find_features(raw, 0, len(raw), chosen.features, many)
    assert few.tolist() == many[:3].tolist()


@pytest.mark.parametrize("word", ["", "a", "straße"])
def test_a_hash_of_a_word_is_odd_and_its_own(word: str) -> None:
    raw = np.frombuffer(word.encode() + b"x", np.uint8)
    value = 0xCBF29CE484222325
    for byte in word.encode():
        value = (value ^ byte) * 0x100000001B3 & ((1 << 64) - 1)
    assert word_hash(raw, 0, len(word.encode())) == value | 1
