"""What a failing run says of a save that was under way."""

from __future__ import annotations

from pathlib import Path

import pytest

from lauter.trainer.checkpoint.error import CheckpointError
from lauter.trainer.checkpoint.store import Checkpoints
from lauter.trainer.loop.errors import RunFailed
from lauter.trainer.loop.run import last_save_told
from tests.trainer.checkpoint.state import TOKENIZER, meta, section, state


def under_way(folder: Path) -> Checkpoints:
    """A save in the background whose folder became a file."""
    checkpoints = Checkpoints(folder, section(asynchronous=True), rank=0, ranks=1)
    folder.rmdir()
    folder.write_text("a file")
    checkpoints.save(state(1), meta(1), TOKENIZER)
    return checkpoints


def test_the_runs_own_error_stays_the_main_one(tmp_path: Path) -> None:
    said: list[str] = []
    checkpoints = under_way(tmp_path / "checkpoints")
    with pytest.raises(RunFailed, match="the loss is nan"), last_save_told(checkpoints, said.append):
        raise RunFailed("the loss is nan")
    (one,) = said
    assert one.startswith("the save that was under way failed too: ")
    assert "checkpoints" in one


def test_a_run_that_succeeds_fails_with_its_save(tmp_path: Path) -> None:
    checkpoints = under_way(tmp_path / "checkpoints")
    with pytest.raises(CheckpointError), last_save_told(checkpoints, pytest.fail):
        checkpoints.finish()
