"""A model is had by name or path, and only with the digest that is asked for."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import constants

from lauter.stages.language import load as models
from lauter.stages.language.evidence.lists import Weights, of_entries, write
from lauter.stages.language.fasttext.read import load as read
from lauter.stages.language.load import EMBEDDED, NAMED, known_labels, lists_beside, load
from tests.stages.language.fasttext.models import trained


@pytest.mark.parametrize("name", [EMBEDDED, "lid.176"])
def test_a_model_that_comes_with_lauter_is_checked_too(name: str) -> None:
    path = Path(models.__file__).parent / models._FILES[name]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert "deu_Latn" in load(name, sha256=digest).names
    with pytest.raises(ValueError, match=f"has SHA-256 {digest} and not 0000"):
        load(name, sha256="0" * 64)


def test_a_model_by_path() -> None:
    path = trained("softmax")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert "deu_Latn" in load(str(path), sha256=digest).names
    with pytest.raises(ValueError, match=f"has SHA-256 {digest}"):
        load(str(path), sha256=digest[::-1])
    with pytest.raises(OSError, match="none"):
        load(str(path.with_name("none.bin")))


def test_a_model_of_the_hub_that_is_not_here_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ValueError, match="is not on this machine"):
        load("glotlid")


def words_of(path: Path, model: Path) -> Path:
    """Word lists of a model, that hold no word."""
    labels = [label.removeprefix("__label__") for label in read(str(model)).labels]
    none = np.zeros(len(labels), np.uint16)
    lists = of_entries(np.empty(0, np.uint32), np.empty(0, np.uint8), 20, none, none, Weights(1, 0, 1, 0, 0))
    write(path, lists, labels)
    return path


def test_word_lists_are_read_where_they_are_named_and_of_the_embedded_model(tmp_path: Path) -> None:
    model = Path(shutil.copy(trained("softmax"), tmp_path / "model.bin"))
    assert lists_beside(str(model)) is None
    words = words_of(tmp_path / "model.words", model)
    assert lists_beside(str(model)) == words
    assert load(str(model), normalised=True)._lists is None, "what is not named is no input of a build"
    assert load(str(model), normalised=True, lists=words)._lists is not None
    assert load(EMBEDDED)._lists is not None
    assert lists_beside(EMBEDDED) is None
    with pytest.raises(ValueError, match="is not said to read"):
        load(str(model), lists=words)
    embedded = Path(models.__file__).parent / "models" / "embedded" / "model.words"
    with pytest.raises(ValueError, match="belongs to another model"):
        load(str(model), normalised=True, lists=embedded)
    with pytest.raises(ValueError, match="no file of word lists"):
        load(str(model), normalised=True, lists=model)


def test_only_the_embedded_model_has_a_table_of_its_labels() -> None:
    assert set(known_labels(EMBEDDED)) <= set(load(EMBEDDED).names)
    assert [name for name in NAMED if known_labels(name)] == [EMBEDDED]
