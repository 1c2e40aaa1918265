"""Saving, loading, going back to an older checkpoint; what is refused before anything is written."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import pytest
import torch

from lauter.trainer.checkpoint.error import CheckpointError
from lauter.trainer.checkpoint.read import open_checkpoint
from lauter.trainer.checkpoint.store import Checkpoints
from tests.trainer.checkpoint.state import TOKENIZER, equal, meta, run_of, section, state, zeros


def names(out: Path) -> list[str]:
    return sorted(path.name for path in (out / "checkpoints").iterdir())


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_is_saved_is_loaded_to_the_bit(tmp_path: Path, *, asynchronous: bool) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints", section(asynchronous=asynchronous), rank=0, ranks=1)
    assert checkpoints.latest() is None
    live = state(1)
    for step in (1, 2):
        for key, tensor in state(step).items():
            live[key].copy_(tensor)
        checkpoints.save(live, meta(step), TOKENIZER)
        for tensor in live.values():
            tensor.fill_(float("nan"))  # Training goes on at once.
    checkpoints.finish()
    latest = checkpoints.latest()
    assert latest is not None
    assert latest.path.name == "step-0000000002"
    assert meta(2).items() <= latest.meta.items()
    loaded = zeros()
    checkpoints.load(latest, loaded)
    assert equal(loaded, state(2))
    assert names(tmp_path) == ["LATEST", "step-0000000001", "step-0000000002"]
    assert {path.name: path.read_bytes() for path in (latest.path / "tokenizer").iterdir()} == TOKENIZER


def test_both_ways_of_saving_and_every_save_give_the_same_bytes(tmp_path: Path) -> None:
    found = []
    for run, asynchronous in enumerate((False, False, True)):
        folder = tmp_path / f"run{run}"
        checkpoints = Checkpoints(folder, section(asynchronous=asynchronous), rank=0, ranks=1)
        live = {key: torch.nn.Parameter(tensor) for key, tensor in state(7).items()}
        checkpoints.save(live, meta(7), TOKENIZER)
        checkpoints.finish()
        found.append({path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()})
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 7


def test_a_snapshot_reuses_its_buffers(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, section(asynchronous=True), rank=0, ranks=1)
    live = state(1)
    first = {key: tensor.data_ptr() for key, tensor in checkpoints._snapshot.take(live).items()}
    again = checkpoints._snapshot.take(live)
    assert first == {key: tensor.data_ptr() for key, tensor in again.items()}
    assert not set(first.values()) & {tensor.data_ptr() for tensor in live.values()}


def test_a_step_that_is_saved_again_is_replaced(tmp_path: Path) -> None:
    checkpoints = run_of(tmp_path, 1, 2)
    checkpoints.save(state(9), meta(2), TOKENIZER)
    latest = checkpoints.latest()
    assert latest is not None
    loaded = zeros()
    checkpoints.load(latest, loaded)
    assert equal(loaded, state(9))
    assert names(tmp_path) == ["LATEST", "step-0000000001", "step-0000000002"]


def test_a_failed_background_save_is_raised_by_the_next_and_once(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints", section(asynchronous=True), rank=0, ranks=1)
    checkpoints.save(state(1), meta(1), TOKENIZER)
    checkpoints.finish()
    checkpoints.save(state(2), meta(2), {"no/such/folder.json": b""})
    with pytest.raises(CheckpointError, match=r"folder.json: No such file"):
        checkpoints.save(state(3), meta(3), TOKENIZER)
    checkpoints.finish()
    assert names(tmp_path) == ["LATEST", "step-0000000001"]


def test_only_as_many_are_kept_as_the_section_says(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints", section(keep=2, keep_every_steps=3), rank=0, ranks=1)
    for step in range(1, 9):
        checkpoints.save(state(step), meta(step), TOKENIZER)
    assert names(tmp_path) == ["LATEST", *(f"step-{step:010d}" for step in (3, 6, 7, 8))]


def test_a_deletion_that_fails_does_not_fail_the_save(tmp_path: Path) -> None:
    said: list[str] = []
    checkpoints = Checkpoints(tmp_path / "checkpoints", section(keep=1), rank=0, ranks=1, warn=said.append)
    checkpoints.save(state(1), meta(1), TOKENIZER)
    (tmp_path / "checkpoints/.deleting-step-0000000001").write_text("a file, in the way of the folder's new name")
    checkpoints.save(state(2), meta(2), TOKENIZER)
    assert len(said) == 1
    assert said[0].startswith("step-0000000002 is saved, but an older checkpoint could not be deleted: ")
    assert open_checkpoint(tmp_path).path.name == "step-0000000002"


def test_another_runs_checkpoint_is_opened(tmp_path: Path) -> None:
    run_of(tmp_path / "parent", 3)
    branch = run_of(tmp_path / "branch")
    opened = branch.open(tmp_path / "parent")
    assert opened == open_checkpoint(tmp_path / "parent")
    (opened.path / "meta.json").unlink()
    with pytest.raises(CheckpointError, match=r"is broken: meta.json is missing. No other checkpoint lies beside it"):
        branch.open(tmp_path / "parent")


def test_leftovers_are_cleared_and_named(tmp_path: Path) -> None:
    run_of(tmp_path, 1)
    folder = tmp_path / "checkpoints"
    shutil.copytree(folder / "step-0000000001", folder / ".saving-step-0000000002")
    shutil.copytree(folder / "step-0000000001", folder / ".deleting-step-0000000000")
    (folder / ".saving-LATEST").write_text("")
    (folder / "notes.txt").write_text("mine")
    said: list[str] = []
    Checkpoints(folder, section(), rank=0, ranks=1, warn=said.append)
    assert names(tmp_path) == ["LATEST", "notes.txt", "step-0000000001"]
    assert said == [
        f"{folder}: removed what a killed run left unfinished: "
        ".deleting-step-0000000000, .saving-LATEST, .saving-step-0000000002"
    ]


def test_a_full_disk_is_seen_before_the_save(tmp_path: Path) -> None:
    run_of(tmp_path, 1, 2)
    checkpoints = Checkpoints(tmp_path / "checkpoints", section(), rank=0, ranks=1, free=lambda _: 20_000)
    with pytest.raises(CheckpointError) as caught:
        checkpoints.save(state(3), meta(3), TOKENIZER)
    said = str(caught.value)
    assert "20 kB are free" in said
    assert "are missing. Delete an old checkpoint (step-0000000001 (" in said
    assert "step-0000000002" not in said
    assert open_checkpoint(tmp_path).path.name == "step-0000000002"


def test_meta_must_be_whole(tmp_path: Path) -> None:
    checkpoints = run_of(tmp_path, 1)
    short = {key: value for key, value in meta(2).items() if key not in ("guard", "shape")}
    with pytest.raises(CheckpointError, match=r"meta.json: shape: missing; guard: missing"):
        checkpoints.save(state(2), short, TOKENIZER)
    with pytest.raises(CheckpointError, match="is no JSON"):
        checkpoints.save(state(2), {**meta(2), "guard": {1, 2}}, TOKENIZER)
    assert names(tmp_path) == ["LATEST", "step-0000000001"]


class TestLoad:
    """Nothing is filled unless everything fits."""

    def refused(self, out: Path, wanted: dict[str, torch.Tensor]) -> str:
        checkpoints = run_of(out, 1)
        latest = checkpoints.latest()
        assert latest is not None
        before = {key: tensor.clone() for key, tensor in wanted.items()}
        with pytest.raises(CheckpointError) as caught:
            checkpoints.load(latest, wanted)
        assert equal(before, wanted)
        return str(caught.value)

    def test_names_that_differ(self, tmp_path: Path) -> None:
        wanted = zeros()
        wanted["weight.beta"] = wanted.pop("weight.alpha")
        said = self.refused(tmp_path, wanted)
        assert "it has no weight.beta; it has weight.alpha, which this model has not" in said

    def test_another_size(self, tmp_path: Path) -> None:
        said = self.refused(tmp_path, {**zeros(), "weight.alpha": torch.zeros(2)})
        assert "weight.alpha is (1,) there and (2,) here" in said

    def test_a_dtype_that_would_round(self, tmp_path: Path) -> None:
        said = self.refused(tmp_path, {key: tensor.bfloat16() for key, tensor in zeros().items()})
        assert "is torch.float32 there, which torch.bfloat16 does not hold exactly" in said
        assert "and 9 more" in said

    def test_a_wider_dtype_and_a_kind_alone(self, tmp_path: Path) -> None:
        checkpoints = run_of(tmp_path, 1)
        latest = checkpoints.latest()
        assert latest is not None
        wanted = {key: tensor.double() for key, tensor in zeros().items() if key.startswith("weight.")}
        checkpoints.load(latest, wanted)
        saved = state(1)
        assert equal(wanted, {key: saved[key].double() for key in wanted})


def test_an_asynchronous_save_returns_before_it_is_done(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints", section(asynchronous=True), rank=0, ranks=1)
    gate = threading.Event()
    checkpoints._writer.submit(gate.wait)
    checkpoints.save(state(1), meta(1), TOKENIZER)
    before = names(tmp_path)
    gate.set()
    checkpoints.finish()
    assert before == []
    assert names(tmp_path) == ["LATEST", "step-0000000001"]


def test_a_save_waits_for_the_one_before_it_and_says_so(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints", section(asynchronous=True), rank=0, ranks=1)
    gate = threading.Event()
    checkpoints._writer.submit(gate.wait)
    first = checkpoints.save(state(1), meta(1), TOKENIZER)
    assert first.waited == 0 < first.seconds
    before = checkpoints.written
    assert before is None

    def open_when_awaited() -> None:
        while checkpoints._pending is not None:
            time.sleep(0.001)
        gate.set()

    opener = threading.Thread(target=open_when_awaited)
    opener.start()
    second = checkpoints.save(state(2), meta(2), TOKENIZER)
    opener.join()
    assert 0 < second.waited < second.seconds
    checkpoints.finish()
    assert checkpoints.written is not None
    assert checkpoints.written.step == 2
    assert checkpoints.written.seconds > 0
