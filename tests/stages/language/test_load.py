"""A model is had by name or path, and only with the digest that is asked for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from huggingface_hub import constants

from lauter.stages.language import load as models
from lauter.stages.language.load import EMBEDDED, NAMED, known_labels, load
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


def test_only_the_embedded_model_has_a_table_of_its_labels() -> None:
    assert set(known_labels(EMBEDDED)) <= set(load(EMBEDDED).names)
    assert [name for name in NAMED if known_labels(name)] == [EMBEDDED]
