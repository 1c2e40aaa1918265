"""A corpus, built once, that every test takes pages out of."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.pipeline.small_run import build, write_manifest
from tests.pipeline.takedown.masked import FILES, STAGES


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inputs, manifest and a finished run folder, and beside it a copy of all that."""
    folder = tmp_path_factory.mktemp("takedown") / "in"
    folder.mkdir()
    manifest = write_manifest(folder, FILES, STAGES, tokens_per_shard=1500, tokens_per_row_group=300)
    build(manifest, folder / "out")
    shutil.copytree(folder, folder.with_name("untouched"))
    return folder


@pytest.fixture
def folder(untouched: Path) -> Path:
    """The same, as it was built, where it was built: paths and times of its inputs are part of what a build knows."""
    shutil.rmtree(untouched)
    shutil.copytree(untouched.with_name("untouched"), untouched)
    return untouched
