"""Tensors of a folder in the format of torch.distributed.checkpoint (DCP), into any layout, without a process group."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import Metadata, TensorStorageMetadata

from lauter.trainer.checkpoint.error import CheckpointError
from lauter.trainer.checkpoint.inventory import DCP_METADATA

_INDEX_CLASSES = {
    "torch.distributed.checkpoint.metadata": {
        "Metadata",
        "TensorStorageMetadata",
        "TensorProperties",
        "ChunkStorageMetadata",
        "MetadataIndex",
        "StorageMeta",
        "_MEM_FORMAT_ENCODING",
    },
    "torch.distributed.checkpoint.filesystem": {"_StorageInfo"},
    "torch.serialization": {"_get_layout"},
    "torch": {"Size", *(name for name, value in vars(torch).items() if isinstance(value, torch.dtype))},
}
"""All that an index of tensors is made of."""


class _IndexUnpickler(pickle.Unpickler):
    """DCP keeps its index as a pickle, which could run anything: nothing passes but what an index is made of."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - whatever class is named
        if name in _INDEX_CLASSES.get(module, ()):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} has no place in the index of a checkpoint")


class SavedTensors:
    """The tensors of a checkpoint. Reads the index once, and of the rest what is asked for."""

    def __init__(self, folder: Path) -> None:
        """Raises `CheckpointError` where the index is absent or damaged."""
        self._folder = folder
        path = folder / DCP_METADATA
        try:
            with path.open("rb") as file:
                self._metadata = cast(Metadata, _IndexUnpickler(file).load())
        except OSError as error:
            raise CheckpointError(f"cannot read {path}: {error.strerror}") from error
        except Exception as error:
            raise CheckpointError(f"{path} is damaged: {error}") from error
        # The list of files was verified; a place outside of the folder is on no list.
        for place in (self._metadata.storage_data or {}).values():
            if Path(place.relative_path).name != place.relative_path:
                raise CheckpointError(f"{path} is damaged: it puts a tensor into {place.relative_path!r}")
        self.index: dict[str, TensorStorageMetadata] = {
            name: entry
            for name, entry in self._metadata.state_dict_metadata.items()
            if isinstance(entry, TensorStorageMetadata)
        }
        """Name -> full size, dtype and pieces."""

    def fill(self, tensors: Mapping[str, Tensor]) -> None:
        """Fill tensors in place, DTensors too; each rank reads what it holds and waits for no other.

        Raises `CheckpointError` where a tensor is absent or has another size, or a file is damaged.
        """
        reader = FileSystemReader(self._folder)
        planner = DefaultLoadPlanner()
        try:
            planner.set_up_planner(dict(tensors), self._metadata, is_coordinator=True)
            reader.set_up_storage_reader(self._metadata, is_coordinator=True)
            plans = planner.create_global_plan([reader.prepare_local_plan(planner.create_local_plan())])
            [plan] = reader.prepare_global_plan(plans)
            reader.read_data(planner.finish_plan(plan), planner).wait()
        except Exception as error:
            raise CheckpointError(f"cannot read the tensors of {self._folder}: {error}") from error
