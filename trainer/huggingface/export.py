"""A checkpoint as a Hugging Face folder: `ApertusForCausalLM.from_pretrained` reads it, no key missing or unexpected.

Weights go from the checkpoint to the disk one by one. Everything is written under another name beside the folder and
renamed at the end: an export that was killed leaves no half model.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from lauter.trainer.checkpoint.layout import TOKENIZER
from lauter.trainer.checkpoint.read import Checkpoint, model_shape_of, read_weights, tokenizer_files
from lauter.trainer.huggingface.card import model_card
from lauter.trainer.huggingface.config import config_json
from lauter.trainer.huggingface.names import Shape, constant_names, parameter_shapes
from lauter.trainer.huggingface.origin import ORIGIN, origin
from lauter.trainer.huggingface.shards import DTYPES, INDEX, ShardWriter, cut, index_json
from lauter.trainer.huggingface.tokenizer import TokenizerError, chat_ends, huggingface_tokenizer
from lauter.trainer.huggingface.write_fault import naming
from lauter.trainer.model.shape import ModelShape

SHARD_SIZE = 5_000_000_000
"""Bytes of the largest file of weights, unless told otherwise."""

_ROOM = 50_000_000
"""Bytes for all that is no weight: a tokenizer of 131,072 pieces is 9 MB as JSON."""


class ExportError(Exception):
    """A checkpoint can't be exported; the message says why and what to do."""


class NoRoom(ExportError):
    """The disk is too small."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, of weights."""

    tensors: int
    bytes: int
    files: int


def export_hf(
    checkpoint: Checkpoint,
    out: Path,
    *,
    dtype: Literal["bf16", "fp32"] = "bf16",
    shard_size: int = SHARD_SIZE,
) -> Exported:
    """Write a checkpoint to a new or empty folder `out`, its weights rounded to `dtype` (nearest even).

    Raises:
        ExportError: `out` holds something, the disk is too small (`NoRoom`), or the checkpoint lacks a tensor or a
            control token does not fit.
        CheckpointError: the checkpoint can't be read.
        OSError: a file of `out` can't be written; it names the file.
    """
    out = out.resolve()
    _require_new(out)
    shape = model_shape_of(checkpoint)
    parameters, constants = parameter_shapes(shape), constant_names(shape)
    shards = cut(_in_order(parameters, constants), DTYPES[dtype][0].itemsize, shard_size)
    texts = _texts(checkpoint, shape, dtype=dtype)
    if len(shards) > 1:
        texts[INDEX] = _json(index_json(shards, DTYPES[dtype][0].itemsize))
    _require_room(out.parent, shape.parameters * DTYPES[dtype][0].itemsize + _ROOM)

    def write(folder: Path) -> int:
        writer = ShardWriter(folder, shards, dtype)
        try:
            for name, tensor in read_weights(checkpoint):
                writer.write(name, tensor)
            for name, value in constants.items():
                writer.write(name, torch.tensor(value, dtype=torch.float32))
            size = writer.finish()
        except KeyError as error:
            raise ExportError(f"{checkpoint.path}: the tensor {error} has no place in a model of its shape") from error
        except ValueError as error:
            raise ExportError(f"{checkpoint.path}: {error}") from error
        for name, content in texts.items():
            _write(folder / name, content)
        return size

    size = _all_or_nothing(out, write)
    return Exported(len(parameters) + len(constants), size, len(shards))


def _in_order(parameters: Mapping[str, Shape], constants: Mapping[str, float]) -> dict[str, Shape]:
    # Constants stand beside their layer's activation, so that a file has whole layers.
    ordered: dict[str, Shape] = {}
    for name, shape in parameters.items():
        ordered[name] = shape
        if name.endswith("act_fn.alpha_n"):
            ordered |= {
                key: () for key in (name.replace("alpha_n", part) for part in ("beta", "eps")) if key in constants
            }
    return ordered


def _texts(checkpoint: Checkpoint, shape: ModelShape, *, dtype: str) -> dict[str, bytes]:
    meta = checkpoint.meta
    tokenizer: Mapping[str, Any] = meta["tokenizer"]
    files = tokenizer_files(checkpoint)
    try:
        written = huggingface_tokenizer(files, shape.positions) if files else {}
        ends = chat_ends(files) if files else []
    except TokenizerError as error:
        raise ExportError(f"{checkpoint.path / TOKENIZER}: {error}") from error
    eos = tokenizer.get("eos")
    # A document ends at EOS, a turn and a tool call at their own tokens; what an import or a tuning lists stays.
    stops = tokenizer.get("stops") or ([] if eos is None else [eos]) + ends
    ids: dict[str, Any] = {
        "bos": tokenizer.get("bos"),
        "eos": stops if len(stops) > 1 else eos,
        "pad": tokenizer.get("pad"),
    }
    found = origin(checkpoint)
    generation = {f"{part}_token_id": index for part, index in ids.items() if index is not None}
    return {
        **written,
        "config.json": _json(config_json(shape, dtype=str(DTYPES[dtype][0]).removeprefix("torch."), **ids)),
        "generation_config.json": _json({"_from_model_config": True, **generation}),
        ORIGIN: _json(found),
        "README.md": model_card(found, shape, dtype=dtype).encode(),
    }


def _require_new(out: Path) -> None:
    if out.is_dir() and not any(out.iterdir()):
        return
    if out.is_dir():
        raise ExportError(f"{out} is not empty: name a new folder, or empty it first")
    if out.exists():
        raise ExportError(f"{out} is a file: name a folder")


def _require_room(folder: Path, needed: int) -> None:
    while not folder.exists():
        folder = folder.parent
    disk = shutil.disk_usage(folder)
    # A file system that knows no size has 0, as /proc and some in user space: writing shows whether there is room.
    if disk.total and disk.free < needed:
        raise NoRoom(
            f"the disk of {folder} has {disk.free:,} bytes free and the model takes {needed:,}: free some space, or "
            "name a folder on another disk"
        )


def _all_or_nothing(out: Path, write: Callable[[Path], int]) -> int:
    staged = out.with_name(f".{out.name}.partial")
    shutil.rmtree(staged, ignore_errors=True)  # what a killed export left
    try:
        staged.mkdir(parents=True)
        size = write(staged)
        _sync_folder(staged)
        # A rename takes the place of an empty folder, and of nothing else.
        staged.rename(out)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is not None:
            # The other name is gone when the message is read.
            error.filename = str(error.filename).replace(str(staged), str(out))
        shutil.rmtree(staged, ignore_errors=True)
        raise
    _sync_folder(out.parent)
    return size


def _write(path: Path, content: bytes) -> None:
    with naming(path), path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
