"""Checkpoints outside of training: one process, no process group, one tensor in memory at a time."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from lauter.trainer.checkpoint.dcp_read import SavedTensors
from lauter.trainer.checkpoint.dcp_write import write_one_by_one
from lauter.trainer.checkpoint.durable import make_empty
from lauter.trainer.checkpoint.error import CheckpointError, NoCheckpoint, explain
from lauter.trainer.checkpoint.inventory import digest_faults, read_back, read_inventory, unlisted_faults
from lauter.trainer.checkpoint.latest import candidates, named_by_latest
from lauter.trainer.checkpoint.layout import FILES, LATEST, META, SAVING, TOKENIZER, step_name, step_of
from lauter.trainer.checkpoint.meta import complete_meta, faults_of, read_meta
from lauter.trainer.checkpoint.publish import publish, small_files
from lauter.trainer.checkpoint.space import free_bytes, require_space
from lauter.trainer.checkpoint.verify import Depth, verify
from lauter.trainer.config.lora import LoraSection
from lauter.trainer.model.low_rank import A, B, is_low_rank, product
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.progress import Progress

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "model_shape_of",
    "open_checkpoint",
    "read_weights",
    "slots_of",
    "tokenizer_files",
    "write_weights_only",
]

WEIGHT = "weight."
"""Prefix of a weight's key: of its fp32 master, or of the weight itself where it is its own master or frozen."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A whole checkpoint: its folder and what `meta.json` says."""

    path: Path
    meta: dict[str, Any]


def open_checkpoint(path: Path | str, *, depth: Depth = "digests") -> Checkpoint:
    """The checkpoint at a run's folder, its `checkpoints` folder, or a step's folder.

    By default every byte is compared with its digest; `depth="sizes"` looks at the files' sizes only. Raises
    `CheckpointError`: there is none, it is broken, or it holds a file that its list does not name; nothing else is
    taken in its place, as the user named it.
    """
    folder = resolve(Path(path))
    require_whole(folder, verify(folder, depth) or unlisted_faults(folder))
    return Checkpoint(folder, read_meta(folder))


def require_whole(folder: Path, faults: Sequence[str]) -> None:
    """Raises `CheckpointError` where there are faults (`verify`); it names the checkpoint to take instead."""
    if faults:
        raise CheckpointError(f"checkpoint {folder} is broken: {'; '.join(faults)}. {_instead_of(folder)}")


def resolve(path: Path) -> Path:
    """The step's folder that a user means. Raises `NoCheckpoint` saying what the path is instead."""
    if not path.exists():
        raise NoCheckpoint(f"{path} does not exist; give a run's folder, or one of its checkpoints/step-…")
    if not path.is_dir():
        raise NoCheckpoint(f"{path} is a file; give a run's folder, or one of its checkpoints/step-…")
    if (path / META).is_file() or (path / FILES).is_file() or step_of(path.name) is not None:
        return path
    for folder in (path / "checkpoints", path):
        if (folder / LATEST).exists() or candidates(folder)[0]:
            try:
                return named_by_latest(folder)
            except CheckpointError as error:
                raise CheckpointError(f"{error}. {_instead_of(folder / LATEST)}") from error
    if (path / "config.json").is_file() and any(path.glob("*.safetensors")):
        raise NoCheckpoint(f"{path} is a Hugging Face model; make a checkpoint of it with `lauter import hf`")
    if (path / "checkpoints").is_dir() or (path / "metrics.jsonl").is_file():
        raise NoCheckpoint(f"{path} is a run that has not saved a checkpoint yet")
    raise NoCheckpoint(f"{path} is no run and no checkpoint: it has neither checkpoints/ nor {FILES}")


def _instead_of(broken: Path) -> str:
    """The newest other checkpoint that has all its files, to be named by the user."""
    for folder in candidates(broken.parent)[0]:
        if folder != broken and not verify(folder, "sizes"):
            return f"{folder} has all its files: name that one"
    return "No other checkpoint lies beside it; restore it from a copy"


@dataclass(frozen=True, slots=True)
class LowRank:
    """A low-rank part of a weight (LoRA): not read yet."""

    saved: SavedTensors
    a: str
    b: str
    scale: float

    def product(self) -> Tensor:
        """What it adds to the weight, in fp32 or fp64. Raises `CheckpointError`."""
        index = self.saved.index
        parts = {key: torch.empty(index[key].size, dtype=index[key].properties.dtype) for key in (self.a, self.b)}
        self.saved.fill(parts)
        return product(parts[self.a], parts[self.b], self.scale)


def low_rank_parts(checkpoint: Checkpoint, saved: SavedTensors) -> dict[str, LowRank]:
    """By the name of the weight that each stands beside; none in a checkpoint of full training."""
    found = {}
    for key in saved.index:
        path, _, last = key.removeprefix(WEIGHT).rpartition(".")
        if key.startswith(WEIGHT) and last == A:
            scale = TypeAdapter(LoraSection).validate_python(checkpoint.meta["config"]["lora"]).scale
            found[f"{path}.weight"] = LowRank(saved, key, f"{WEIGHT}{path}.{B}", scale)
    return found


def read_weights(checkpoint: Checkpoint) -> Iterator[tuple[str, Tensor]]:
    """Every weight by its parameter's name, fp32, on the CPU, in the order of names; low-rank parts are merged.

    Holds one tensor and its largest saved piece at a time. Raises `CheckpointError`.
    """
    saved = SavedTensors(checkpoint.path)
    merged = low_rank_parts(checkpoint, saved)
    for key, entry in sorted(saved.index.items()):
        name = key.removeprefix(WEIGHT)
        if key.startswith(WEIGHT) and not is_low_rank(name):
            tensor = torch.empty(entry.size, dtype=entry.properties.dtype)
            saved.fill({key: tensor})
            yield name, tensor.float() if name not in merged else tensor.float() + merged[name].product()


def tokenizer_files(checkpoint: Checkpoint) -> dict[str, bytes]:
    """The tokenizer's files, name -> content: those that `files.json` lists, compared with their digests.

    Raises `CheckpointError` where one is missing or has other bytes than were saved.
    """
    folder = checkpoint.path
    listed = {
        name: record for name, record in read_inventory(folder).items() if Path(name).parent.as_posix() == TOKENIZER
    }
    require_whole(folder, digest_faults(folder, listed))
    return {Path(name).name: (folder / name).read_bytes() for name in sorted(listed)}


def write_weights_only(
    path: Path,
    shape: ModelShape,
    weights: Iterable[tuple[str, Tensor]],
    meta: Mapping[str, Any],
    tokenizer: Mapping[str, bytes],
) -> Checkpoint:
    """Make a run folder whose only checkpoint is one of weights, without moments, at progress 0.

    `weights` are (parameter's name, tensor), saved as fp32, one in memory at a time. `meta` says what is known of the
    source (`config`, `data`, `tokenizer`, `parent`, …); shape, progress and steps are filled in here.

    Raises `CheckpointError` where the folder holds anything, the disk has no room or a write fails.
    """
    checkpoints = path / "checkpoints"
    _require_new(path, checkpoints)
    unknown = dict.fromkeys(("config", "data", "guard", "parent"))
    fixed = {"shape": asdict(shape), "progress": asdict(Progress()), "optimizer_steps": 0}
    others = small_files(complete_meta({**unknown, "tokenizer": {}, **meta, **fixed}), tokenizer)
    target = checkpoints / step_name(0)
    staged = target.with_name(SAVING + target.name)
    masters = ((WEIGHT + name, tensor.detach().float()) for name, tensor in weights)
    try:
        checkpoints.mkdir(parents=True, exist_ok=True)
        require_space(checkpoints, 4 * shape.parameters + sum(map(len, others.values())), free_bytes(checkpoints))
        make_empty(staged)
        written = write_one_by_one(masters, staged)
        publish(staged, target, read_back(staged, written), others)
    except OSError as error:
        raise CheckpointError(f"cannot write {target}: {explain(error)}") from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return Checkpoint(target, read_meta(target))


def _require_new(path: Path, checkpoints: Path) -> None:
    """Empty but for what an import that failed or was killed leaves."""
    inside = [*path.iterdir()] if path.is_dir() else []
    if checkpoints.is_dir():
        inside.remove(checkpoints)
        inside += [entry for entry in checkpoints.iterdir() if not entry.name.startswith(SAVING)]
    if inside:
        raise CheckpointError(f"{path} is not empty ({min(inside).name}): name a new folder, or empty it first")


def slots_of(checkpoint: Checkpoint) -> frozenset[str]:
    """Kinds of tensors in it: `weight` alone, or also the moments (`fast`, `slow`, `second`)."""
    return frozenset(key.partition(".")[0] for key in SavedTensors(checkpoint.path).index)


def model_shape_of(checkpoint: Checkpoint) -> ModelShape:
    """The model's shape. Raises `CheckpointError` where meta.json holds no shape that a model can have."""
    try:
        return TypeAdapter(ModelShape).validate_python(checkpoint.meta["shape"])
    except ValidationError as error:
        raise CheckpointError(f"{checkpoint.path / META}: shape: {faults_of(error)}") from error
