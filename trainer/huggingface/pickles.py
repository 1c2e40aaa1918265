"""Reading the pickles of strangers: numbers, tensors and plain records come through, everything else stays inert.

A pickle may call any function of any module when it is read. Megatron's training arguments hold classes of its own that
nobody has installed; here each becomes an empty object, and nothing of it runs.
"""

from __future__ import annotations

import argparse
import collections
import pickle
import types
from pathlib import Path
from typing import IO, Any

import torch
from torch.distributed.checkpoint.metadata import (
    BytesStorageMetadata,
    ChunkStorageMetadata,
    Metadata,
    MetadataIndex,
    StorageMeta,
    TensorProperties,
    TensorStorageMetadata,
)

_ALLOWED: dict[tuple[str, str], Any] = {
    ("argparse", "Namespace"): argparse.Namespace,
    ("types", "SimpleNamespace"): types.SimpleNamespace,
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch", "Size"): torch.Size,
    ("torch", "device"): torch.device,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
} | {
    (kind.__module__, kind.__name__): kind
    for kind in (
        BytesStorageMetadata,
        ChunkStorageMetadata,
        Metadata,
        MetadataIndex,
        StorageMeta,
        TensorProperties,
        TensorStorageMetadata,
    )
}


class Inert:
    """Stands for an object of a class that is not let in. Holds nothing and does nothing."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass

    def __call__(self, *_: object) -> Inert:
        """A method that was looked up by its name is called so."""
        return self

    def append(self, _: object) -> None:
        """A subclass of list is filled so."""

    def __setitem__(self, _: object, __: object) -> None:
        pass


class StrangersUnpickler(pickle.Unpickler):
    """As the module says."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - whatever the pickle names
        """The real thing where it is harmless, `Inert` otherwise."""
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        if module == "torch":
            found = getattr(torch, name, None)
            if isinstance(found, torch.dtype | torch.layout | torch.memory_format):
                return found
        if (module, name) in {
            ("torch.distributed.checkpoint.metadata", "_MEM_FORMAT_ENCODING"),
            ("torch.distributed.checkpoint.filesystem", "_StorageInfo"),
            ("torch.serialization", "_get_layout"),
        }:
            return super().find_class(module, name)
        return Inert


def load(file: IO[bytes]) -> Any:  # noqa: ANN401 - whatever was pickled
    """One pickle.

    Raises:
        pickle.UnpicklingError, EOFError and others: it is broken.
    """
    return StrangersUnpickler(file).load()


def load_torch(path: Path) -> Any:  # noqa: ANN401 - whatever was saved
    """A file of `torch.save`; tensors are mapped from the disk, not read.

    Raises:
        pickle.UnpicklingError: it holds code.
        Exception: of whatever kind, if it is broken.
    """
    # torch.load hands a zip with constants.pkl to torch.jit.load, which runs the code in it and asks no unpickler. Its
    # own reader lists the records, so that both see the same ones.
    with path.open("rb") as file:
        records = [record.lower() for record in torch._C.PyTorchFileReader(file).get_all_records()]
    if any(record == "constants.pkl" or record.startswith("code/") for record in records):
        raise pickle.UnpicklingError("it holds TorchScript code, which would run, and is no file of torch.save")
    module = types.SimpleNamespace(Unpickler=StrangersUnpickler, load=load, __name__="strangers")
    return torch.load(path, map_location="cpu", weights_only=False, pickle_module=module, mmap=True)
