"""The tensors and training arguments of a Megatron checkpoint, whichever way it was saved."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import ChunkStorageMetadata, Metadata, TensorStorageMetadata
from torch.distributed.checkpoint.planner import LoadPlan, LoadPlanner, ReadItem
from torch.distributed.checkpoint.planner_helpers import create_read_items_for_chunk_list

from lauter.trainer.huggingface.imported import ModelImportError
from lauter.trainer.huggingface.names import Shape
from lauter.trainer.huggingface.pickles import load, load_torch

_TRACKER = "latest_checkpointed_iteration.txt"

# Optimizer, schedule and random state; and Transformer Engine's FP8 history.
_NOT_OF_THE_MODEL = re.compile(r"^(optimizer|opt_param_scheduler|rng_state|rerun_state_machine)|_extra_state")


@dataclass(frozen=True, slots=True)
class MegatronSource:
    """A checkpoint that was opened: no tensor is read yet."""

    folder: Path
    arguments: Namespace
    iteration: int | None
    shapes: Mapping[str, Shape]
    """Name -> whole shape, of the model's tensors."""
    read: Callable[[str, int | None], Tensor]
    """A tensor by its name, as it was saved; with a layer, that index of its first axis only."""


def open_source(path: Path) -> MegatronSource:
    """Open the checkpoint in `path`: an `iter_...` folder, or the one that the tracker file above it names.

    Raises:
        ModelImportError: there is none, it is broken, or it lies in several ranks' parts.
    """
    folder = _iteration(path)
    if (folder / ".metadata").is_file():
        return _distributed(folder)
    ranks = sorted(folder.glob("mp_rank_*/model_optim_rng.pt"))
    if len(ranks) > 1:
        raise ModelImportError(
            [
                f"{folder} lies in {len(ranks)} ranks' parts: save it as torch_dist (--ckpt-format torch_dist, or "
                "--ckpt-convert-format), or with tensor and pipeline parallelism of 1"
            ]
        )
    if ranks:
        return _single(ranks[0], folder)
    raise ModelImportError([f"{folder} is no Megatron checkpoint: it has neither .metadata nor mp_rank_*/"])


def _iteration(path: Path) -> Path:
    tracker = path / _TRACKER
    if not tracker.exists():
        if not path.is_dir():
            raise ModelImportError([f"{path} is no folder"])
        return path
    said = tracker.read_text().strip()
    if said != "release" and not said.isdecimal():
        raise ModelImportError([f"{tracker} holds {said!r}, which is no iteration: name the iter_... folder itself"])
    return path / ("release" if said == "release" else f"iter_{int(said):07d}")


def _distributed(folder: Path) -> MegatronSource:
    common = _loaded(folder / "common.pt", load_torch)
    reader = _Reader(folder)
    metadata = _loaded(folder / ".metadata", lambda _: reader.read_metadata())
    entries = {
        name: entry
        for name, entry in metadata.state_dict_metadata.items()
        if isinstance(entry, TensorStorageMetadata) and not _NOT_OF_THE_MODEL.search(name)
    }

    def read(name: str, layer: int | None) -> Tensor:
        planner = _Part(name, entries[name], layer)
        try:
            reader.set_up_storage_reader(metadata, is_coordinator=True)
            reader.read_data(planner.create_local_plan(), planner).wait()
        except Exception as error:
            raise ModelImportError([f"{folder}: {name} can't be read ({error}): copy the checkpoint again"]) from error
        return planner.tensor

    shapes = {name: tuple(entry.size) for name, entry in entries.items()}
    return MegatronSource(folder, _arguments(common, folder), _count(common), shapes, read)


def _single(file: Path, folder: Path) -> MegatronSource:
    content = _loaded(file, load_torch)
    model = content.get("model") if isinstance(content, dict) else None
    if not isinstance(model, Mapping):
        raise ModelImportError([f"{file} has no `model`: virtual pipeline stages (model0, ...) can't be read; use 1"])
    tensors = {
        str(name): value
        for name, value in model.items()
        if isinstance(value, Tensor) and not _NOT_OF_THE_MODEL.search(str(name))
    }
    return MegatronSource(
        folder,
        _arguments(content, folder),
        _count(content),
        {name: tuple(tensor.shape) for name, tensor in tensors.items()},
        lambda name, layer: tensors[name] if layer is None else tensors[name][layer],
    )


def _arguments(content: object, folder: Path) -> Namespace:
    found = content.get("args") if isinstance(content, dict) else None
    if not isinstance(found, Namespace):
        raise ModelImportError([f"{folder} holds no training arguments (`args`), from which the shape would follow"])
    return found


def _count(content: Mapping[str, Any]) -> int | None:
    found = content.get("iteration")
    return found if isinstance(found, int) else None


def _loaded(path: Path, read: Callable[[Path], Any]) -> Any:  # noqa: ANN401 - whatever the file holds
    try:
        return read(path)
    except FileNotFoundError:
        raise ModelImportError([f"{path} is missing: copy the checkpoint again"]) from None
    except Exception as error:
        raise ModelImportError([f"{path} is broken ({type(error).__name__}: {error}): copy it again"]) from error


class _Reader(FileSystemReader):
    """torch's reader, with an index that runs nothing."""

    def read_metadata(self, *_: Any, **__: Any) -> Metadata:  # noqa: ANN401 - torch's signature
        with (Path(self.path) / ".metadata").open("rb") as file:
            found = load(file)
        if not isinstance(found, Metadata):
            raise TypeError("it is no index of tensors")
        return found


class _Part(LoadPlanner):
    """Reads one tensor, or one index of its first axis, of a distributed checkpoint into memory of its own size."""

    def __init__(self, name: str, entry: TensorStorageMetadata, layer: int | None) -> None:
        self._name, self._entry, self._layer = name, entry, layer
        size = list(entry.size)
        self._offsets = torch.Size([0] * len(size))
        if layer is not None:
            self._offsets = torch.Size([layer, *self._offsets[1:]])
            size[0] = 1
        self._whole = torch.empty(size, dtype=entry.properties.dtype)

    @property
    def tensor(self) -> Tensor:
        """What was read; a layer without its axis of 1."""
        return self._whole if self._layer is None else self._whole[0]

    def create_local_plan(self) -> LoadPlan:
        wanted = ChunkStorageMetadata(self._offsets, self._whole.shape)
        return LoadPlan(create_read_items_for_chunk_list(self._name, self._entry, [wanted]))

    def resolve_tensor(self, read_item: ReadItem) -> Tensor:
        part = self._whole
        for axis, (offset, length) in enumerate(zip(read_item.dest_offsets, read_item.lengths, strict=True)):
            part = part.narrow(axis, offset, length)
        return part

    def commit_tensor(self, read_item: ReadItem, tensor: Tensor) -> None:
        """It is in place."""

    def set_up_planner(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 - torch's signature
        """Nothing: it knows what it reads."""

    def create_global_plan(self, global_plan: list[LoadPlan]) -> list[LoadPlan]:
        return global_plan

    def finish_plan(self, central_plan: LoadPlan) -> LoadPlan:
        return central_plan

    def load_bytes(self, read_item: ReadItem, value: Any) -> None:  # noqa: ANN401 - torch's signature
        raise TypeError(f"{read_item.storage_index.fqn} is no tensor")
