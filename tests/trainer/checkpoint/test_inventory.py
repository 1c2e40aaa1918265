"""Only what files.json lists is a part of a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

from lauter.trainer.checkpoint.durable import write_synced
from lauter.trainer.checkpoint.error import CheckpointError
from lauter.trainer.checkpoint.inventory import inventory_bytes, read_inventory
from lauter.trainer.checkpoint.read import (
    open_checkpoint,
    read_weights,
    tokenizer_files,
)
from tests.trainer.checkpoint.state import TOKENIZER, run_of


@pytest.mark.parametrize("stray", ["tokenizer/model.safetensors", "notes.txt", "tokenizer/deep/a.json", "link"])
def test_a_file_that_nobody_listed_is_a_fault(tmp_path: Path, stray: str) -> None:
    checkpoints = run_of(tmp_path, 1)
    path = tmp_path / "checkpoints/step-0000000001" / stray
    path.parent.mkdir(exist_ok=True)
    if stray == "link":
        path.symlink_to(tmp_path)
    else:
        path.write_bytes(b"{}")
    for opening in (open_checkpoint, checkpoints.open):
        with pytest.raises(CheckpointError, match=f"is broken: {stray} is not listed in files.json: take it out"):
            opening(tmp_path)
    # The run itself loads listed files only, and loses no step over a note that somebody put there.
    assert checkpoints.latest() is not None


@pytest.mark.parametrize("name", ["../secret.json", "/etc/hostname", "tokenizer/../../secret.json", "tokenizer\\..\\a"])
def test_a_list_of_files_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    run_of(tmp_path, 1)
    step = tmp_path / "checkpoints/step-0000000001"
    secret = write_synced(tmp_path / "checkpoints/secret.json", b"{}")
    (step / "files.json").write_bytes(inventory_bytes({**read_inventory(step), name: secret}))
    with pytest.raises(CheckpointError, match="which is no file of this folder"):
        open_checkpoint(tmp_path)


def test_tensors_come_from_files_of_the_folder_only(tmp_path: Path) -> None:
    run_of(tmp_path, 1)
    step = tmp_path / "checkpoints/step-0000000001"
    (step / "__0_0.distcp").rename(tmp_path / "checkpoints/a.distcp")
    # Of the same length, so that the pickle stays one.
    (step / ".metadata").write_bytes((step / ".metadata").read_bytes().replace(b"__0_0.distcp", b"../a.distcp "))
    files = read_inventory(step)
    files[".metadata"] = write_synced(step / ".metadata", (step / ".metadata").read_bytes())
    del files["__0_0.distcp"]
    (step / "files.json").write_bytes(inventory_bytes(files))
    with pytest.raises(CheckpointError, match=r"it puts a tensor into '\.\./a\.distcp '"):
        list(read_weights(open_checkpoint(tmp_path)))


def test_the_tokenizer_is_what_was_listed_and_saved(tmp_path: Path) -> None:
    run_of(tmp_path, 1)
    checkpoint = open_checkpoint(tmp_path)
    (checkpoint.path / "tokenizer/model.safetensors").write_bytes(b"stray")
    assert tokenizer_files(checkpoint) == TOKENIZER
    (checkpoint.path / "tokenizer/tokenizer.json").write_bytes(b"{}")
    with pytest.raises(CheckpointError, match=r"tokenizer/tokenizer.json has other bytes than were written"):
        tokenizer_files(checkpoint)
