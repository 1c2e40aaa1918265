"""Reading a Hugging Face folder: one safetensors file or many, found, checked and handed out tensor by tensor."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from lauter.trainer.huggingface.imported import ModelImportError
from lauter.trainer.huggingface.names import Shape
from lauter.trainer.huggingface.shards import INDEX

SINGLE = "model.safetensors"

_DTYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}
"""What can be read: each of them fits into fp32 without a loss."""


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a folder.

    Raises:
        ModelImportError: the file is missing or holds something else.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ModelImportError([f"{path} is missing: name a folder with a model in Hugging Face's form"]) from None
    except (ValueError, RecursionError) as error:
        raise ModelImportError([f"{path} is no JSON: fetch it again"]) from error
    if not isinstance(content, dict):
        raise ModelImportError([f"{path} is no JSON object: fetch it again"])
    return content


class TensorFolder:
    """The tensors of a folder: their names, shapes and files are known at once, their values when they are read."""

    def __init__(self, folder: Path) -> None:
        """Read the headers.

        Raises:
            ModelImportError: there are no safetensors, a file is missing or broken, or a dtype can't be read.
        """
        self._folder = folder
        self._file_of: dict[str, str] = {}
        self.shapes: dict[str, Shape] = {}
        problems: list[str] = []
        listed = self._listed()
        self.files = tuple(sorted(set(listed.values()) or {SINGLE}))
        for name in self.files:
            self._read_header(name, problems)
        for tensor, name in listed.items():
            if self._file_of.get(tensor) != name and not problems:
                problems.append(f"{folder / INDEX} puts {tensor} into {name}, which does not have it: fetch both again")
        if problems:
            raise ModelImportError(problems)

    def read(self, name: str) -> Tensor:
        """A tensor as fp32.

        Raises:
            ModelImportError: it can't be read, or holds numbers that are not finite.
        """
        path = self._folder / self._file_of[name]
        try:
            with safe_open(path, framework="pt") as file:
                tensor: Tensor = file.get_tensor(name).to(torch.float32)
        except (SafetensorError, OSError) as error:
            raise ModelImportError([f"{path}: {name} can't be read ({error}): fetch the file again"]) from error
        if not bool(torch.isfinite(tensor).all()):
            raise ModelImportError([f"{path}: {name} holds numbers that are not finite: the model is broken"])
        return tensor

    def digests(self) -> Iterator[tuple[str, str]]:
        """Name and SHA-256 (hexadecimal) of each file of weights."""
        for name in self.files:
            with (self._folder / name).open("rb") as file:
                yield name, hashlib.file_digest(file, "sha256").hexdigest()

    def _listed(self) -> Mapping[str, str]:
        index = self._folder / INDEX
        if index.exists():
            listed = read_json(index).get("weight_map")
            # A name with a folder in it could lie anywhere on this machine.
            if not isinstance(listed, dict) or any(Path(str(name)).name != name for name in listed.values()):
                raise ModelImportError([f"{index}: weight_map must give each tensor a file of the same folder"])
            return listed
        if (self._folder / SINGLE).exists():
            return {}
        if any(self._folder.glob("pytorch_model*.bin")):
            raise ModelImportError(
                [f"{self._folder} has pickled weights only (*.bin): save the model as safetensors first"]
            )
        raise ModelImportError([f"{self._folder} has neither {SINGLE} nor {INDEX}: name a folder with weights"])

    def _read_header(self, name: str, problems: list[str]) -> None:
        path = self._folder / name
        try:
            with safe_open(path, framework="pt") as file:
                for key in file.keys():  # noqa: SIM118 - no mapping
                    part = file.get_slice(key)
                    self.shapes[key] = tuple(part.get_shape())
                    if part.get_dtype() not in _DTYPES:
                        problems.append(f"{path}: {key} is {part.get_dtype()}; only {', '.join(_DTYPES)} can be read")
                    if key in self._file_of:
                        problems.append(f"{key} is in {self._file_of[key]} and in {name}: keep one")
                    self._file_of[key] = name
        except FileNotFoundError:
            problems.append(f"{path} is missing: fetch it")
        except (SafetensorError, OSError) as error:
            problems.append(f"{path} is no whole safetensors file ({error}): fetch it again")
