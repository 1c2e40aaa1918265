"""Opening what a user names, reading weights one by one, making a checkpoint of weights."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from lauter.trainer.checkpoint.durable import write_synced
from lauter.trainer.checkpoint.error import CheckpointError
from lauter.trainer.checkpoint.inventory import inventory_bytes, read_inventory
from lauter.trainer.checkpoint.read import (
    Checkpoint,
    model_shape_of,
    open_checkpoint,
    read_weights,
    slots_of,
    write_weights_only,
)
from lauter.trainer.checkpoint.store import Checkpoints
from lauter.trainer.model.shape import ModelShape, RopeScaling
from tests.trainer.checkpoint.state import SHAPE, SIZES, TOKENIZER, equal, meta, run_of, section, state


def test_a_run_its_checkpoints_or_a_step_can_be_named(tmp_path: Path) -> None:
    run_of(tmp_path, 1, 2)
    for path in (tmp_path, tmp_path / "checkpoints", tmp_path / "checkpoints/step-0000000002", str(tmp_path)):
        assert open_checkpoint(path).path == tmp_path / "checkpoints/step-0000000002"
    assert open_checkpoint(tmp_path / "checkpoints/step-0000000001").meta["optimizer_steps"] == 1


def test_a_step_can_be_moved_and_renamed(tmp_path: Path) -> None:
    run_of(tmp_path, 1)
    moved = tmp_path / "best"
    shutil.move(tmp_path / "checkpoints/step-0000000001", moved)
    weights = {f"weight.{name}": tensor for name, tensor in read_weights(open_checkpoint(moved))}
    assert equal(weights, state(1, ("weight",)) | {})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.rmdir(), "does not exist; give a run's folder"),
        (lambda path: (path.rmdir(), path.write_text("")), "is a file; give a run's folder"),
        (lambda path: None, "is no run and no checkpoint"),
        (lambda path: (path / "checkpoints").mkdir(), "has not saved a checkpoint yet"),
        (lambda path: (path / "metrics.jsonl").write_text(""), "has not saved a checkpoint yet"),
        (
            lambda path: ((path / "config.json").write_text("{}"), (path / "model.safetensors").write_text("")),
            "is a Hugging Face model; make a checkpoint of it with `lauter import hf`",
        ),
        (
            lambda path: ((path / "checkpoints").mkdir(), (path / "checkpoints/LATEST").write_text("")),
            "LATEST is empty. No other checkpoint lies beside it",
        ),
    ],
    ids=["absent", "file", "foreign", "no-checkpoint", "no-checkpoint-yet", "hugging-face", "empty-latest"],
)
def test_what_is_no_checkpoint_is_named(tmp_path: Path, make: Any, said: str) -> None:  # noqa: ANN401
    path = tmp_path / "named"
    path.mkdir()
    make(path)
    with pytest.raises(CheckpointError, match=said):
        open_checkpoint(path)


def test_a_broken_checkpoint_is_refused_and_another_proposed(tmp_path: Path) -> None:
    run_of(tmp_path, 1, 2)
    step = tmp_path / "checkpoints/step-0000000002"
    content = bytearray((step / "__0_0.distcp").read_bytes())
    content[-1] ^= 0x80
    (step / "__0_0.distcp").write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(tmp_path)
    assert "step-0000000002 is broken: __0_0.distcp has other bytes than were written" in str(caught.value)
    assert "step-0000000001 has all its files: name that one" in str(caught.value)
    assert open_checkpoint(tmp_path, depth="sizes").path == step
    (tmp_path / "checkpoints/LATEST").unlink()
    shutil.rmtree(step)
    with pytest.raises(CheckpointError, match=r"has no LATEST.*step-0000000001 has all its files"):
        open_checkpoint(tmp_path)


def test_every_flipped_byte_is_found(tmp_path: Path) -> None:
    run_of(tmp_path, 1)
    for path in sorted((tmp_path / "checkpoints/step-0000000001").rglob("*")):
        if path.is_dir():
            continue
        whole = path.read_bytes()
        for at in {0, len(whole) // 3, len(whole) - 1}:
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
            with pytest.raises(CheckpointError, match=r"is broken|no checkpoint"):
                open_checkpoint(tmp_path)
        path.write_bytes(whole)
    open_checkpoint(tmp_path)


def relisted(step: Path) -> None:
    """As if what is in the folder had been saved so: digests fit, content does not."""
    files = read_inventory(step)
    files["meta.json"] = write_synced(step / "meta.json", (step / "meta.json").read_bytes())
    files[".metadata"] = write_synced(step / ".metadata", (step / ".metadata").read_bytes())
    (step / "files.json").write_bytes(inventory_bytes(files))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda meta: meta.pop("shape"), "meta.json: shape: missing"),
        (lambda meta: meta["progress"].pop("tokens"), "meta.json: progress.tokens: missing"),
        (lambda meta: meta["progress"].update(step="5"), "meta.json: progress.step: input should be a valid integer"),
        (
            lambda meta: meta.update(format=99),
            "has format 99, and this version of lauter reads up to 1",
        ),
    ],
    ids=["shape", "tokens", "type", "format"],
)
def test_meta_is_validated(tmp_path: Path, change: Any, said: str) -> None:  # noqa: ANN401
    run_of(tmp_path, 1)
    step = tmp_path / "checkpoints/step-0000000001"
    content = json.loads((step / "meta.json").read_text())
    change(content)
    (step / "meta.json").write_text(json.dumps(content))
    relisted(step)
    with pytest.raises(CheckpointError, match=said):
        open_checkpoint(tmp_path)


class Harm:
    """A pickle that runs a command when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("harmed",)


@pytest.mark.parametrize(
    "harm",
    [
        pickle.dumps(Harm()),
        b"\x80\x04\x8c'torch.distributed.checkpoint.filesystem\x8c\x08os.mkdir\x93\x8c\x06harmed\x85R.",
    ],
    ids=["plain", "through-a-module"],
)
def test_reading_a_checkpoint_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: bytes) -> None:
    run_of(tmp_path, 1)
    step = tmp_path / "checkpoints/step-0000000001"
    (step / ".metadata").write_bytes(harm)
    relisted(step)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="has no place in the index of a checkpoint"):
        list(read_weights(open_checkpoint(tmp_path)))
    assert not (tmp_path / "harmed").exists()


def test_weights_come_one_by_one_and_as_fp32(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints", section(), rank=0, ranks=1)
    checkpoints.save({key: tensor.bfloat16() for key, tensor in state(1).items()}, meta(1), TOKENIZER)
    checkpoint = open_checkpoint(tmp_path)
    found = dict(read_weights(checkpoint))
    assert list(found) == sorted(SIZES)
    expected = state(1)
    assert equal(found, {name: expected[f"weight.{name}"].bfloat16().float() for name in found})
    assert slots_of(checkpoint) == {"weight", "fast", "slow", "second"}


def test_the_shape_comes_back(tmp_path: Path) -> None:
    run_of(tmp_path, 1)
    checkpoint = open_checkpoint(tmp_path)
    assert model_shape_of(checkpoint) == ModelShape(**SHAPE)
    wrong = Checkpoint(checkpoint.path, {**checkpoint.meta, "shape": {**SHAPE, "heads": 3, "kv_heads": 2}})
    with pytest.raises(CheckpointError, match=r"meta.json: shape: .*must be a multiple of kv_heads"):
        model_shape_of(wrong)


class TestWeightsOnly:
    """A checkpoint that no run has trained, as imports make it."""

    shape = ModelShape(**SHAPE, rope_scaling=RopeScaling(factor=4.0))
    source: ClassVar = {"tokenizer": {"digest": None}, "parent": {"form": "huggingface"}}

    def test_it_is_read_as_any_other(self, tmp_path: Path) -> None:
        weights = {name: tensor.bfloat16() for name, tensor in state(3, ("weight",)).items()}
        named = [(key.removeprefix("weight."), tensor) for key, tensor in weights.items()]
        write_weights_only(tmp_path / "out", self.shape, named, self.source, TOKENIZER)
        checkpoint = open_checkpoint(tmp_path / "out")
        assert checkpoint.meta["progress"] == {"step": 0, "samples": 0, "tokens": 0}
        assert checkpoint.meta["parent"] == {"form": "huggingface"}
        assert model_shape_of(checkpoint) == self.shape
        assert slots_of(checkpoint) == {"weight"}
        assert equal(dict(read_weights(checkpoint)), {name: tensor.float() for name, tensor in named})
        loaded = {key: torch.zeros(tensor.shape) for key, tensor in weights.items()}
        Checkpoints(tmp_path / "other", section(), rank=0, ranks=1).load(checkpoint, loaded)
        assert equal(loaded, {key: tensor.float() for key, tensor in weights.items()})

    @pytest.mark.parametrize("held", ["notes.txt", "checkpoints/notes.txt", "checkpoints/LATEST"])
    def test_a_folder_that_holds_anything_is_left_alone(self, tmp_path: Path, held: str) -> None:
        (tmp_path / "checkpoints").mkdir()
        (tmp_path / held).write_text("mine")
        name = Path(held).name
        with pytest.raises(CheckpointError, match=rf"is not empty \({name}\): name a new folder, or empty it first"):
            write_weights_only(tmp_path, self.shape, [], self.source, TOKENIZER)
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / held]

    def test_a_folder_with_checkpoints_is_left_alone(self, tmp_path: Path) -> None:
        run_of(tmp_path, 1)
        with pytest.raises(CheckpointError, match=r"is not empty"):
            write_weights_only(tmp_path, self.shape, [], self.source, TOKENIZER)

    def test_what_a_killed_import_left_does_not_stop_the_next(self, tmp_path: Path) -> None:
        staged = tmp_path / "checkpoints/.saving-step-0000000000"
        staged.mkdir(parents=True)
        (staged / "__0_0.distcp").write_text("half")
        weights = [("alpha", torch.ones(1))]
        written = write_weights_only(tmp_path, self.shape, weights, self.source, TOKENIZER)
        assert open_checkpoint(tmp_path).path == written.path and not staged.exists()

    def test_a_source_that_fails_leaves_nothing(self, tmp_path: Path) -> None:
        def broken() -> Iterator[tuple[str, Tensor]]:
            yield "alpha", torch.ones(1)
            raise ValueError("the source ends here")

        with pytest.raises(ValueError, match="the source ends here"):
            write_weights_only(tmp_path, self.shape, broken(), self.source, TOKENIZER)
        assert not list((tmp_path / "checkpoints").iterdir())

    def test_one_tensor_is_in_memory_at_a_time(self, tmp_path: Path) -> None:
        made: list[weakref.ref[Tensor]] = []
        alive: list[int] = []

        def weights() -> Iterator[tuple[str, Tensor]]:
            for number in range(4):
                alive.append(sum(reference() is not None for reference in made))
                tensor = torch.full((1000,), float(number))
                made.append(weakref.ref(tensor))
                yield f"layer{number}", tensor
                del tensor

        write_weights_only(tmp_path, self.shape, weights(), self.source, TOKENIZER)
        assert max(alive) <= 1
