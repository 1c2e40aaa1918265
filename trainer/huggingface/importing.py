"""A Hugging Face folder of an Apertus model as a checkpoint that training continues from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from lauter.trainer.checkpoint.read import write_weights_only
from lauter.trainer.huggingface.config import shape_of_config
from lauter.trainer.huggingface.folder import TensorFolder, read_json
from lauter.trainer.huggingface.imported import Imported, ModelImportError
from lauter.trainer.huggingface.names import Shape, constant_names, parameter_shapes
from lauter.trainer.huggingface.origin import ORIGIN
from lauter.trainer.huggingface.tokenizer import (
    FILES,
    TOKENIZER,
    TokenizerError,
    pieces,
    special_ids,
    vocabulary_digest,
)
from lauter.trainer.model.shape import ModelShape

GENERATION = "generation_config.json"

_SHOWN = 10
"""Tensors named of each kind of fault; a wrong config makes hundreds."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A Hugging Face folder of an Apertus model, checked; no weight has been read."""

    shape: ModelShape
    weights: Iterator[tuple[str, Tensor]]
    """(parameter's name, fp32), one after the other, each once; may raise `ModelImportError`."""
    tokenizer: dict[str, Any]
    """As `meta.json` says it of an import."""
    tokenizer_files: dict[str, bytes]
    digests: dict[str, str]
    """SHA-256 (hexadecimal) of each file of weights."""
    notes: tuple[str, ...]


def open_hf(path: Path) -> Opened:
    """Check a folder with config.json and safetensors.

    Raises:
        ModelImportError: every key, tensor, shape and file that is not as an Apertus model's.
    """
    config = read_json(path / "config.json")
    shape = shape_of_config(config)
    generation = read_json(path / GENERATION) if (path / GENERATION).exists() else {}
    tensors = TensorFolder(path)
    notes: list[str] = []
    expected = parameter_shapes(shape)
    _check(tensors.shapes, expected, constant_names(shape))
    _check_constants(tensors, constant_names(shape), notes)
    files = {name: (path / name).read_bytes() for name in FILES if (path / name).exists()}
    described = describe_tokenizer(files, shape, {**config, "stops": generation.get("eos_token_id")}, notes)
    _note_dropout(config, notes)
    weights = ((name, tensors.read(name)) for name in expected)
    return Opened(shape, weights, described, files, dict(tensors.digests()), tuple(notes))


def import_hf(path: Path, out: Path) -> Imported:
    """Read a folder with config.json and safetensors; write `out`, weights only, progress 0.

    Weights become fp32 masters, which hold bf16 and fp16 exactly: exported again they have the same bytes. Of the
    tokenizer, tokenizer.json and the names of its special tokens come along.

    Raises:
        ModelImportError: every key, tensor, shape and file that is not as an Apertus model's.
        CheckpointError: `out` holds something, or can't be written.
    """
    opened = open_hf(path)
    parent: dict[str, Any] = {"form": "huggingface", "name": path.resolve().name, "files": opened.digests}
    if (path / ORIGIN).exists():
        # What the folder says of itself; nobody checked it.
        parent["claims"] = read_json(path / ORIGIN)
    meta = {"tokenizer": opened.tokenizer, "parent": parent}
    write_weights_only(out, opened.shape, opened.weights, meta, opened.tokenizer_files)
    return Imported(opened.shape, opened.notes)


def describe_tokenizer(
    files: Mapping[str, bytes], shape: ModelShape, config: Mapping[str, Any], notes: list[str]
) -> dict[str, Any]:
    """`meta.tokenizer` of an import: no digest, as it is no corpus's, but one of its vocabulary.

    `config` is config.json's content: its ids of BOS, EOS and PAD count, and where it has none, those that
    tokenizer_config.json names. EOS may be several: the first ends documents, all of them end generation, and so do
    those of generation_config.json (`config["stops"]`).

    Raises:
        ModelImportError: the tokenizer is broken, or has ids that the model has no rows for.
    """
    found: dict[str, Any] = {"digest": None, "vocabulary": None, "ids": None}
    named: Mapping[str, int | None] = {}
    if TOKENIZER in files:
        try:
            known = pieces(files[TOKENIZER])
            found["vocabulary"] = vocabulary_digest(files[TOKENIZER])
        except TokenizerError as error:
            raise ModelImportError([str(error)]) from error
        found["ids"] = max(known) + 1
        if found["ids"] > shape.vocabulary:
            raise ModelImportError(
                [f"{TOKENIZER} has ids up to {max(known)}, but the model has {shape.vocabulary} rows: one is another's"]
            )
        if "tokenizer_config.json" in files:
            named = special_ids(_object(files["tokenizer_config.json"]), {name: key for key, name in known.items()})
    else:
        notes.append(f"there is no {TOKENIZER}: training on a corpus can't be checked against the model's vocabulary")
    for part in ("bos", "eos", "pad"):
        ids = _ids(config.get(f"{part}_token_id"), f"{part}_token_id", shape)
        found[part] = ids[0] if ids else named.get(part)
        if part == "eos":
            stops = list(dict.fromkeys([*ids, *_ids(config.get("stops"), "eos_token_id", shape)]))
            found |= {"stops": stops} if len(stops) > 1 else {}
    return found


def _ids(given: object, key: str, shape: ModelShape) -> list[int]:
    ids: list[Any] = [] if given is None else given if isinstance(given, list) else [given]
    if any(isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < shape.vocabulary for index in ids):
        raise ModelImportError([f"{key} is {given!r}, which is no id of a vocabulary of {shape.vocabulary}"])
    return ids


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise ModelImportError(["tokenizer_config.json is no JSON: fetch it again"]) from error
    return found if isinstance(found, dict) else {}


def _check(found: Mapping[str, Shape], expected: Mapping[str, Shape], constants: Mapping[str, float]) -> None:
    known = expected.keys() | constants.keys()
    problems = _some([f"{name} is missing" for name in expected if name not in found])
    problems += _some([f"{name} is no tensor of an Apertus model" for name in found if name not in known])
    problems += _some(
        [
            f"{name} has shape {found[name]}; by config.json it is {size}"
            for name, size in expected.items()
            if name in found and found[name] != size
        ]
    )
    if problems:
        raise ModelImportError(problems)


def _some(problems: Sequence[str]) -> list[str]:
    rest = len(problems) - _SHOWN
    return [*problems[:_SHOWN], *([f"... and {rest:,} more of this kind"] if rest > 0 else [])]


def _check_constants(tensors: TensorFolder, constants: Mapping[str, float], notes: list[str]) -> None:
    absent = [name for name in constants if name not in tensors.shapes]
    if absent:
        # The first published checkpoints have none; transformers fills in the same numbers.
        notes.append(f"{len(absent)} constants of xIELU (beta, eps) are not in the folder: 0.5 and -1e-6 are taken")
    problems = []
    for name, value in constants.items():
        if name in absent:
            continue
        read = tensors.read(name)
        # bf16 has 8 bits of mantissa: -1e-6 is kept as -9.98e-7.
        if read.numel() != 1 or abs(float(read.reshape(-1)[0]) - value) > abs(value) / 256:
            problems.append(f"{name} is {read.tolist()}; Apertus has {value}")
    if problems:
        raise ModelImportError(_some(problems))


def _note_dropout(config: Mapping[str, Any], notes: list[str]) -> None:
    for key in ("attention_dropout", "hidden_dropout"):
        if config.get(key):
            notes.append(f"config.json: {key} is {config[key]}; Lauter trains without dropout")
