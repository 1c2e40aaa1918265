"""Safetensors files, written tensor by tensor.

The format (huggingface/safetensors, README "Format"): 8 bytes of the header's length, little-endian; the header, JSON
that names dtype, shape and place of every tensor; the bytes, row-major and little-endian, without gaps. All shapes are
known before the first tensor, so the header is written first and each tensor goes to its place in whatever order it
comes: no more than one tensor is in memory.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lauter.trainer.huggingface.names import Shape
from lauter.trainer.huggingface.write_fault import naming

DTYPES: Mapping[str, tuple[torch.dtype, str]] = {"bf16": (torch.bfloat16, "BF16"), "fp32": (torch.float32, "F32")}
"""Our name -> torch's dtype, and the format's name."""

INDEX = "model.safetensors.index.json"

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}

_ELEMENTS = 1 << 24
"""Converted at once: 64 MB of fp32."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One file: its name and its tensors' shapes, in the order of their bytes."""

    name: str
    tensors: Mapping[str, Shape]


def parse_size(text: str) -> int:
    """Bytes of a size as transformers writes it; KB, MB, GB, TB are powers of 1000, KiB, MiB, GiB of 1024.

    Raises:
        ValueError: it is no such size.

    >>> parse_size("5GB")
    5000000000
    """
    match = re.fullmatch(r"([0-9]+)([KMGT]I?B)", text.strip().upper())
    if match is None or match[2] not in _UNITS or int(match[1]) == 0:
        raise ValueError(f"{text!r} is no size: write it as 5GB, 500MB or 2GiB")
    return int(match[1]) * _UNITS[match[2]]


def cut(tensors: Mapping[str, Shape], itemsize: int, largest: int) -> list[Shard]:
    """Tensors into files of at most `largest` bytes, in order; a larger tensor has a file of its own."""
    groups: list[dict[str, Shape]] = []
    room = 0
    for name, shape in tensors.items():
        size = math.prod(shape) * itemsize
        if not groups or size > room:
            groups.append({})
            room = largest
        groups[-1][name] = shape
        room -= size
    if len(groups) == 1:
        return [Shard("model.safetensors", groups[0])]
    return [Shard(f"model-{n:05d}-of-{len(groups):05d}.safetensors", group) for n, group in enumerate(groups, 1)]


def index_json(shards: list[Shard], itemsize: int) -> dict[str, Any]:
    """The content of `model.safetensors.index.json`: which file has which tensor."""
    elements = sum(math.prod(shape) for shard in shards for shape in shard.tensors.values())
    return {
        "metadata": {"total_parameters": elements, "total_size": elements * itemsize},
        "weight_map": {name: shard.name for shard in shards for name in sorted(shard.tensors)},
    }


class ShardWriter:
    """Writes the files of one model. Every tensor must come exactly once, in any order."""

    def __init__(self, folder: Path, shards: list[Shard], dtype: str) -> None:
        """Create the files with their headers; `dtype` is a key of `DTYPES`."""
        self._dtype, format_name = DTYPES[dtype]
        self._places: dict[str, tuple[Path, int, Shape]] = {}
        for shard in shards:
            header, offsets = _header(shard, format_name, self._dtype.itemsize)
            path = folder / shard.name
            with naming(path):
                path.write_bytes(header)
            for name, offset in offsets.items():
                self._places[name] = (path, len(header) + offset, shard.tensors[name])
        self._files = [folder / shard.name for shard in shards]

    def write(self, name: str, tensor: Tensor) -> None:
        """Put a tensor at its place, converted.

        Raises:
            KeyError: no file has a tensor of that name left.
            ValueError: the tensor's shape is another than was planned.
        """
        path, offset, shape = self._places.pop(name)
        if tuple(tensor.shape) != shape:
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}, not {shape}")
        flat = tensor.detach().reshape(-1)
        with naming(path), path.open("r+b") as file:
            file.seek(offset)
            for start in range(0, len(flat), _ELEMENTS):
                part = flat[start : start + _ELEMENTS].to("cpu", self._dtype).contiguous()
                file.write(part.view(torch.uint8).numpy().data)

    def finish(self) -> int:
        """See every file on the disk; returns their bytes.

        Raises:
            ValueError: tensors never came.
        """
        if self._places:
            raise ValueError(f"{len(self._places)} tensors never came, the first {next(iter(self._places))}")
        for path in self._files:
            with naming(path), path.open("rb") as file:
                os.fsync(file.fileno())
        return sum(path.stat().st_size for path in self._files)


def _header(shard: Shard, format_name: str, itemsize: int) -> tuple[bytes, dict[str, int]]:
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offsets: dict[str, int] = {}
    at = 0
    for name, shape in shard.tensors.items():
        end = at + math.prod(shape) * itemsize
        entries[name] = {"dtype": format_name, "shape": list(shape), "data_offsets": [at, end]}
        offsets[name] = at
        at = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    # Readers map the file: the bytes begin at a multiple of 8.
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, offsets
