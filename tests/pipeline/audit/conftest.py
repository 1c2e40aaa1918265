"""A corpus of two sources, built once, and a copy of it to forge."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.pipeline.audit.forging import LINES, OTHERS
from tests.pipeline.small_run import build, write_manifest


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audit")
    build(write_manifest(folder, {"a.txt": LINES, "b.txt": OTHERS}), folder / "out")
    return folder


@pytest.fixture
def corpus(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built / "out", tmp_path / "out")
    return tmp_path / "out"
