"""The stage, opened once, and the test data, where it is."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lauter.pipeline.contract import StageContext
from lauter.stages.pii import Pii, PiiConfig

Rows = list[dict[str, Any]]


def opened(config: PiiConfig) -> Pii:
    stage = Pii(config, StageContext())
    stage.open()
    return stage


@pytest.fixture(scope="session")
def pii() -> Pii:
    """With the default configuration."""
    return opened(PiiConfig())


@pytest.fixture(scope="session")
def pii_any_ip() -> Pii:
    """Private and reserved addresses too."""
    return opened(PiiConfig(public_ips_only=False))


@pytest.fixture(scope="session")
def stage() -> Callable[[PiiConfig], Pii]:
    """A stage with another configuration."""
    return opened


@pytest.fixture(scope="session")
def rows() -> Callable[[str], Rows]:
    """Rows of a gzipped JSONL file of the test data; the test is skipped where the data is not."""
    root = Path(os.environ.get("LAUTER_TEST_DATA", Path(__file__).parents[3] / "../shared/data"))

    def load(name: str) -> Rows:
        path = root / f"{name}.jsonl.gz"
        if not path.is_file():
            pytest.skip(f"no test data: {name} (set LAUTER_TEST_DATA)")
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    return load
