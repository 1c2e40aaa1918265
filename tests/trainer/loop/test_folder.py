"""Which folders a run takes for its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from lauter.trainer.loop.errors import ConfigError
from lauter.trainer.loop.folder import require_run_folder


def fill(folder: Path, *names: str) -> Path:
    """Files, and folders where a name ends with a slash."""
    folder.mkdir()
    for name in names:
        if name.endswith("/"):
            (folder / name).mkdir(parents=True)
        else:
            (folder / name).write_text("{}")
    return folder


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["lock"],
        ["lock", "checkpoints/"],
        ["lock", "config.json", "checkpoints/step-0000000002/", "notes.txt"],
        ["checkpoints/step-0000000000/"],
    ],
)
def test_a_run_and_what_a_failed_start_left_are_taken(tmp_path: Path, names: list[str]) -> None:
    require_run_folder(fill(tmp_path / "out", *names))


def test_a_folder_that_is_not_there_yet_is_taken(tmp_path: Path) -> None:
    require_run_folder(tmp_path / "new")


def test_a_run_that_has_not_saved_yet_is_taken(tmp_path: Path) -> None:
    out = fill(tmp_path / "out", "lock", "metrics.jsonl", "checkpoints/.saving-step-0000000002/")
    (out / "config.json").write_text('{"name": "x", "model": {}, "data": {}, "schedule": {}}')
    require_run_folder(out)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["tokens/", "corpus.json"], "holds a corpus"),
        (["tokens/", "checkpoints/step-0000000002/"], "holds a corpus"),
        (["README.md"], r"no run's folder and not empty \(README.md\)"),
        ([".git/", "README.md"], r"not empty \(.git and 1 more\)"),
        (["checkpoints/mine/"], r"not empty \(checkpoints\)"),
        (["checkpoints"], r"not empty \(checkpoints\)"),
        # A Hugging Face model has one too.
        (["config.json"], r"not empty \(config.json\)"),
    ],
)
def test_what_is_no_run_is_refused(tmp_path: Path, names: list[str], said: str) -> None:
    out = fill(tmp_path / "out", *names)
    before = sorted(out.rglob("*"))
    with pytest.raises(ConfigError, match=said):
        require_run_folder(out)
    assert sorted(out.rglob("*")) == before
