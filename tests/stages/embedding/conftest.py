"""An encoder for the tests of the room."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.stages.embedding.encoders import make_encoder


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a small encoder of XLM-R's kind."""
    for name in ("torch", "transformers", "safetensors"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed (extra `embedding`)")
    path = tmp_path_factory.mktemp("encoder")
    make_encoder(path)
    return path
