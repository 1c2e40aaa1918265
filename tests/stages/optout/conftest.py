"""Where the public test data is, and stages made from robots.txt files written in the test."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import settings

from lauter.pipeline.contract import StageContext, Verdict
from lauter.stages.optout.config import OptOutConfig
from lauter.stages.optout.stage import OptOut

# The first call of a kernel compiles it, which takes seconds.
settings.register_profile("kernels", deadline=None)
settings.load_profile("kernels")


@pytest.fixture(scope="session")
def data() -> Path:
    """The public test data; the test is skipped where it is absent."""
    default = Path(__file__).parents[4] / "shared" / "data"
    root = Path(os.environ.get("LAUTER_TEST_DATA", default))
    if not (root / "robots").is_dir():
        pytest.skip(f"no test data at {root}: set LAUTER_TEST_DATA")
    return root


Build = Callable[..., OptOut]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """`build([{"origin": …, "status": …, "body": …}, …], **config)`: an opened stage over that snapshot."""

    def make(rows: list[Mapping[str, object]], config: Mapping[str, object] | None = None) -> OptOut:
        snapshot = tmp_path / "robots.jsonl"
        snapshot.write_text("".join(json.dumps(row) + "\n" for row in rows))
        settings = OptOutConfig.model_validate({"snapshot": [str(snapshot)]} | dict(config or {}))
        stage = OptOut(settings, StageContext(artefacts=str(tmp_path)))
        stage.prepare(str(tmp_path))
        stage.open()
        return stage

    return make


def reasons(stage: OptOut, urls: list[str | None]) -> list[str]:
    """The reason for each URL, empty for a kept one."""
    return names(stage, stage.apply(pa.record_batch({"url": pa.array(urls, pa.string())})))


def names(stage: OptOut, verdict: Verdict) -> list[str]:
    """The reasons of a verdict by name."""
    return [stage.reasons[code - 1].name if code else "" for code in verdict.reason.tolist()]
